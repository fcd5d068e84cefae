"""verl's Megatron and FSDP2 engines on CPU ranks: the layout of the ranks changes nothing but the rounding.

All cases train the same 2-layer model on the same 8 rows for 3 steps. The loss is a mean over the response tokens of
all ranks, so the mean of the data-parallel ranks' losses is comparable between layouts. Tolerances: float32 sums in
another order, 1e-5 relative at the first step.
"""

import math

import pytest

from tests.platform.processes import train

pytestmark = pytest.mark.slow

LAYOUTS = {"TP=2": ["--tp=2"], "PP=2": ["--pp=2"], "DP=2": []}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    pytest.importorskip("verl")
    pytest.importorskip("megatron.core")
    from tests.platform import tiny_model

    folder = tmp_path_factory.mktemp("models")
    return {kind: tiny_model.build(folder / kind, kind) for kind in ("qwen2", "llama")}


@pytest.fixture(scope="module")
def one_rank(models, tmp_path_factory):
    return summary(train(models["qwen2"], tmp_path_factory.mktemp("one_rank") / "out.json", 1))


def summary(results: list[dict]) -> dict:
    """Loss and gradient norm by step over the ranks that have them, and the exported weights, equal on all ranks."""
    assert all(result["weights"] == results[0]["weights"] for result in results)
    steps = list(zip(*(r["steps"] for r in results if all(r["steps"])), strict=True))
    norms = [[rank["grad_norm"] for rank in ranks if rank["grad_norm"] is not None] for ranks in steps]
    return {
        "loss": [sum(rank["loss"] for rank in ranks) / len(ranks) for ranks in steps],
        "grad_norm": [norm[0] for norm in norms],
        "weights": results[0]["weights"],
    }


def test_one_megatron_rank_learns(one_rank):
    assert all(math.isfinite(norm) and norm > 0 for norm in one_rank["grad_norm"])
    assert one_rank["loss"] == sorted(one_rank["loss"], reverse=True)
    assert len(one_rank["weights"]) == 27  # 12 of each qwen2 layer, embedding, last norm, output


@pytest.mark.parametrize("layout", LAYOUTS)
def test_megatron_layout_does_not_change_training(models, one_rank, tmp_path, layout):
    two_ranks = summary(train(models["qwen2"], tmp_path / "out.json", 2, *LAYOUTS[layout]))
    assert two_ranks["loss"] == pytest.approx(one_rank["loss"], rel=1e-5, abs=1e-6)
    assert two_ranks["grad_norm"] == pytest.approx(one_rank["grad_norm"], rel=1e-5)
    assert two_ranks["weights"] == pytest.approx(one_rank["weights"], rel=1e-4)


@pytest.mark.parametrize("num_ranks", [1, 2])
def test_fsdp2_starts_from_the_loss_and_gradient_of_megatron(models, one_rank, tmp_path, num_ranks):
    """Later steps differ by weight decay, which Megatron spares for norms and biases."""
    fsdp2 = summary(train(models["qwen2"], tmp_path / "out.json", num_ranks, "--engine=fsdp2"))
    assert fsdp2["loss"][0] == pytest.approx(one_rank["loss"][0], rel=1e-5)
    assert fsdp2["grad_norm"][0] == pytest.approx(one_rank["grad_norm"][0], rel=1e-5)
    assert fsdp2["loss"][-1] == pytest.approx(one_rank["loss"][-1], abs=1e-3)
    assert fsdp2["weights"].keys() == one_rank["weights"].keys()


def test_bfloat16_megatron_is_float32_megatron_up_to_its_precision(models, one_rank, tmp_path):
    bfloat16 = summary(train(models["qwen2"], tmp_path / "out.json", 1, "--dtype=bfloat16"))
    assert bfloat16["grad_norm"] == pytest.approx(one_rank["grad_norm"], rel=2**-8)
    assert bfloat16["loss"] != one_rank["loss"]


def test_llama_trains_and_exports_without_qkv_biases(models, tmp_path):
    llama = summary(train(models["llama"], tmp_path / "out.json", 2, "--tp=2"))
    assert all(math.isfinite(norm) and norm > 0 for norm in llama["grad_norm"])
    assert llama["loss"] == sorted(llama["loss"], reverse=True)
    assert len(llama["weights"]) == 21


@pytest.mark.parametrize("options", [["--tp=2"], ["--tp=2", "--dtype=bfloat16"], ["--engine=fsdp2"]], ids=" ".join)
def test_step_after_loading_a_checkpoint_repeats_the_step_after_saving_it(models, tmp_path, options):
    checkpoint = f"--checkpoint={tmp_path / 'checkpoint'}"
    for rank in train(models["qwen2"], tmp_path / "out.json", 2, checkpoint, *options):
        assert rank["one_step_later"][1] != rank["weights"]
        assert rank["restored"] == rank["weights"]
        assert rank["one_step_after_restore"] == rank["one_step_later"]
