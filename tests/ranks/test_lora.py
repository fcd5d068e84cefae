"""DARO with a LoRA actor, on two FSDP2 ranks, against the formula on a PEFT model with the same adapters."""

import pytest
import torch
from peft import LoraConfig, get_peft_model

from tests.ranks import matrix, reference
from tests.ranks.variants import VARIANTS

pytestmark = pytest.mark.slow
RANK = 4


@pytest.fixture(scope="module")
def result(model, tmp_path_factory):
    return matrix.train(model, tmp_path_factory.mktemp("lora") / "out.pt", "FSDP2 x 2", "--lora-rank", str(RANK))


def test_loss_gradient_and_weights_equal_the_formula(model, result):
    config = LoraConfig(task_type="CAUSAL_LM", r=RANK, lora_alpha=16, target_modules="all-linear", bias="none")
    adapted = get_peft_model(reference.load_model(model), config)
    missing = adapted.load_state_dict(result["start"], strict=False)
    assert not missing.unexpected_keys
    steps = reference.train(adapted, VARIANTS["static 2"].batches())
    got = result["variants"]["static 2"]
    for gradient, step in zip(got["gradients"], steps, strict=True):
        assert matrix.distance(gradient, step.gradient) <= 3e-6
    for rank in got["ranks"]:
        for row, step in zip(rank["steps"], steps, strict=True):
            assert matrix.distance_of(row["weights"], step.weights_after) <= 1e-6


def test_only_the_adapters_move(result):
    moved = {name for name, start in result["start"].items() if not torch.equal(start, result["end"][name])}
    assert moved and all("lora_" in name for name in moved)
    assert {name for name in result["start"] if "lora_" in name} == moved
