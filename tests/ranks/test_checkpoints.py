"""Checkpoints of model and weights: resumed bit for bit, also under another parallel layout."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from daro_verl.toolkit.evaluation.checkpoint import find_weights
from daro_verl.toolkit.evaluation.convert import as_model
from tests.ranks import matrix

pytestmark = pytest.mark.slow
VARIANT = "static 2"


@pytest.mark.parametrize("layout", ["Megatron TP2", "FSDP2 x 2"])
def test_a_resumed_job_goes_on_bit_for_bit(train_all, saved, layout):
    """The third step after a resume is that of the uninterrupted job: gradient, weights, Adam state, counters.

    On the same ranks, over a new start. In new processes: ``test_interruptions.py``.
    """
    result, folder = train_all(layout), saved(layout)
    assert (folder / "daro_weights.json").exists() and not (folder / "daro_weights.json.part").exists()
    whole, resumed = result["variants"][VARIANT], result["resumed"]
    for name, gradient in whole["gradients"][2].items():
        assert torch.equal(resumed["gradients"][0][name], gradient), name
    for a, b in zip(whole["ranks"], resumed["ranks"], strict=True):
        for name, value in a["state"].items():
            got = b["state"][name]
            assert torch.equal(got, value) if torch.is_tensor(value) else got == value, name


@pytest.mark.parametrize("layout", ["Megatron DP1", "Megatron DP2", "Megatron PP2"])
def test_another_layout_resumes_a_checkpoint_of_tp2(model, train_all, layout):
    """Model, optimizer and weights: the third step equals the formula's, whose first two were taken elsewhere.

    Saved with ``megatron.dist_ckpt_optim_fully_reshardable=True``, loaded without the ranks' random states
    (``checkpoint.load_contents=[model,optimizer]``): verl's own conditions for another layout.
    """
    result, third = train_all(layout)["resumed"], matrix.expected(model, VARIANT, 1)[2]
    assert matrix.distance(result["gradients"][0], third.gradient) <= 3e-6
    for rank in result["ranks"]:
        assert matrix.distance_of(rank["steps"][0]["weights"], third.weights_after) <= 1e-6
        assert rank["state"]["version"] == 3


def test_both_engines_checkpoints_are_evaluated_as_the_same_model(model, train_all, saved):
    """Megatron's holds Hugging Face weights; FSDP2's two shards are merged into bfloat16 (8 bits: relative 2^-9).

    Two optimizer steps took them away from the model of the start by more than that.
    """
    start, found = load_file(Path(model) / "model.safetensors"), []
    for layout in ("Megatron TP2", "FSDP2 x 2"):
        train_all(layout)
        found.append(load_file(as_model(find_weights(str(saved(layout).parent))) / "model.safetensors"))
    megatron, fsdp = found
    assert set(megatron) == set(fsdp) == set(start)
    for name, weight in megatron.items():
        torch.testing.assert_close(fsdp[name].float(), weight.float(), rtol=2**-8, atol=1e-5)
    assert any((start[name].float() - weight.float()).abs().max() > 1e-4 for name, weight in megatron.items())
