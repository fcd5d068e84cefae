"""verl's own engines on the CPU platform's ranks, without the plugin: a Llama, in bfloat16 on two ranks.

Layouts, FSDP2 and their checkpoints, with verl's plain loss too: ``tests/ranks`` (variant "DARO off").
"""

import math

import pytest

from tests.platform.processes import train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    pytest.importorskip("verl")
    pytest.importorskip("megatron.core")
    from tests.platform import tiny_model

    return tiny_model.build(tmp_path_factory.mktemp("model") / "llama", "llama")


@pytest.fixture(scope="module")
def exact(model, tmp_path_factory) -> dict:
    """In float32 on one rank."""
    return summary(train(model, tmp_path_factory.mktemp("exact") / "out.json", 1))


@pytest.fixture(scope="module")
def two_ranks(model, tmp_path_factory) -> list[dict]:
    """In bfloat16 with TP = 2, and a checkpoint."""
    folder = tmp_path_factory.mktemp("two_ranks")
    options = ("--tp=2", "--dtype=bfloat16", f"--checkpoint={folder / 'checkpoint'}")
    return train(model, folder / "out.json", 2, *options)


def summary(results: list[dict]) -> dict:
    """Loss and gradient norm by step over the ranks, and the exported weights, equal on all of them."""
    assert all(result["weights"] == results[0]["weights"] for result in results)
    steps = list(zip(*(result["steps"] for result in results), strict=True))
    return {
        "loss": [sum(rank["loss"] for rank in ranks) / len(ranks) for ranks in steps],
        "grad_norm": [next(rank["grad_norm"] for rank in ranks if rank["grad_norm"] is not None) for ranks in steps],
        "weights": results[0]["weights"],
    }


def test_a_llama_learns_and_exports_without_qkv_biases(exact):
    assert all(math.isfinite(norm) and norm > 0 for norm in exact["grad_norm"])
    assert exact["loss"] == sorted(exact["loss"], reverse=True)
    assert len(exact["weights"]) == 21  # 9 of each layer, embedding, last norm, output


def test_two_bfloat16_ranks_are_one_in_float32_up_to_their_precision(exact, two_ranks):
    bfloat16 = summary(two_ranks)
    assert bfloat16["grad_norm"] == pytest.approx(exact["grad_norm"], rel=2**-7)
    assert bfloat16["loss"] != exact["loss"]
    assert bfloat16["weights"].keys() == exact["weights"].keys()


def test_a_step_after_loading_a_checkpoint_repeats_the_step_after_saving_it(two_ranks):
    for rank in two_ranks:
        assert rank["one_step_later"][1] != rank["weights"]
        assert rank["restored"] == rank["weights"]
        assert rank["one_step_after_restore"] == rank["one_step_later"]
