"""Closed forms of the memory estimate and of the rules, on a model small enough to count by hand."""

from dataclasses import replace

import pytest

from daro_verl.toolkit.models.shape import Shape
from daro_verl.toolkit.recipes.arithmetic import number_problems
from daro_verl.toolkit.recipes.memory import OTHER, estimate, kv_bytes, memory_problems, num_parameters
from daro_verl.toolkit.recipes.setting_rules import KEY
from daro_verl.toolkit.recipes.sizes import Sizes
from tests.toolkit.recipes.scripts import CONFIG, settings_of

SHAPE = Shape(
    num_layers=2, num_heads=4, num_kv_heads=2, hidden_size=8, intermediate_size=16, vocab_size=100,
    positions=64, tied=False,
)  # fmt: skip
JOB = Sizes(
    batch=8, mini_batch=4, rollouts=4, max_prompt=8, max_response=24, max_length=32, max_tokens=64, dynamic=True,
    micro_batch=None, tp=1,
    pp=1, cp=1, rollout_tp=1, gpus=4, nnodes=1, rollout_memory=0.5, offload=False, offload_optimizer=False,
    recompute="full", overlong_len=None, overlong_max=None,
)  # fmt: skip
# head 2; query and output 2 x 8 x 8, key and value 2 x 8 x 4: 192; MLP 3 x 8 x 16 = 384
LAYER = 192 + 384


def test_parameters_of_a_rank():
    assert num_parameters(SHAPE) == 2 * LAYER + 2 * 100 * 8
    assert num_parameters(replace(SHAPE, tied=True)) == 2 * LAYER + 100 * 8
    assert num_parameters(SHAPE, tp=2) == (2 * LAYER + 2 * 100 * 8) / 2
    # of a stage: one layer and one of the two embeddings
    assert num_parameters(SHAPE, pp=2) == LAYER + 100 * 8
    # four ranks, two KV heads: each rank has a whole one, so there are four, 2 x 8 x 4 more weights
    assert num_parameters(SHAPE, tp=4) == (2 * (LAYER + 64) + 2 * 100 * 8) / 4


@pytest.mark.parametrize(
    ("name", "billions"), [("qwen2.5_math_1.5b", 1.54), ("qwen2.5_math_7b", 7.62), ("llama3.1_8b", 8.03)]
)
def test_parameters_of_the_three_models_as_published(name, billions):
    published, _ = settings_of(CONFIG / "base_model" / f"{name}.yaml")["recipe.published"]
    assert num_parameters(Shape(**published)) == pytest.approx(billions * 1e9, rel=0.005)


def test_training_by_part():
    parameters = 2 * LAYER + 1600
    found = estimate(JOB, SHAPE, gpu=1e6).training
    assert found["weights"] == 2 * parameters and found["gradients"] == 4 * parameters
    assert found["optimizer"] == 12 * parameters / 4  # 4 data-parallel ranks
    assert found["logits"] == 10 * 64 * 100
    # 14 x 8 + 4 x 4 (keys: 2 heads of 2) + 6 x 16 = 224 bytes of a token in a layer
    assert found["activations"] == 64 * (2 * 2 * 8 + 224)  # an input of 2 x 8 bytes per layer, and one layer at hand
    assert found["other"] == OTHER


def test_what_parallelism_and_recomputation_change():
    split = estimate(replace(JOB, tp=2, cp=2), SHAPE, gpu=1e6).training
    assert split["logits"] == 10 * 64 * 100 / 2
    assert split["optimizer"] == 12 * (2 * LAYER + 1600) / 2 / (1 * 2)  # DP 1, CP 2
    assert estimate(replace(JOB, recompute=None), SHAPE, 1e6).training["activations"] == 64 * 224 * 2
    kept = estimate(replace(JOB, offload=True, offload_optimizer=True), SHAPE, 1e6).generation
    assert kept["weights"] == kept["gradients"] == kept["optimizer"] == 0


def test_the_first_stage_of_a_pipeline_keeps_a_micro_batch_for_each_stage():
    """PP 2, one layer a stage, nothing recomputed: 2 x 64 x 224 on the first stage, 64 x (224 + 1000) on the last."""
    last = estimate(replace(JOB, pp=2, recompute=None), SHAPE, 1e6).training
    assert (last["activations"], last["logits"]) == (64 * 224, 10 * 64 * 100)
    first = estimate(replace(JOB, pp=2, recompute=None), replace(SHAPE, vocab_size=20), 1e6).training
    assert (first["activations"], first["logits"]) == (2 * 64 * 224, 0)


def test_without_packing_a_micro_batch_has_whole_samples():
    job = replace(JOB, dynamic=False, micro_batch=4)
    assert estimate(job, SHAPE, 1e6).training["logits"] == 10 * (4 * 32) * 100


def test_a_head_may_have_a_size_of_its_own():
    """As in Qwen3: heads of 4 instead of 8 / 4 = 2."""
    wide = replace(SHAPE, head_dim=4)
    assert num_parameters(wide) == 2 * (2 * 192 + 384) + 1600
    assert kv_bytes(wide, tp=1) == 2 * kv_bytes(SHAPE, tp=1)
    # 10 x 8 + 4 x 16 (queries) + 4 x 8 (keys) + 6 x 16
    assert estimate(replace(JOB, recompute=None), wide, 1e6).training["activations"] == 64 * 272 * 2


def test_the_kv_cache_is_what_a_server_has_left():
    assert kv_bytes(SHAPE, tp=1) == 2 * 2 * 2 * 2 * 2  # key and value, 2 bytes, 2 layers, 2 heads of 2
    assert kv_bytes(SHAPE, tp=2) == kv_bytes(SHAPE, tp=4) == 16  # a rank has one whole KV head at least
    found = estimate(JOB, SHAPE, gpu=1e6)
    assert found.generation["KV cache"] == 0.5e6 - 2 * (2 * LAYER + 1600)
    assert found.kv_tokens == (0.5e6 - 2 * (2 * LAYER + 1600)) // 32


def test_too_much_memory_is_named_in_each_phase():
    small, large = estimate(JOB, SHAPE, gpu=1e6), estimate(JOB, SHAPE, gpu=2e10)
    assert len(memory_problems(JOB, small, 1e6)) == 2  # 8 GB go to CUDA and kernels alone
    assert memory_problems(JOB, large, 2e10) == []  # 10 GB of them the server's, 8 GB other
    assert "KV cache" in memory_problems(JOB, replace(large, kv_tokens=31), 2e10)[0]  # a sample has 8 + 24 tokens


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"batch": 6}, KEY["BATCH"]),  # 6 = 4 + 2
        ({"tp": 3}, f"TP, PP, {KEY['CP']}"),  # 4 GPUs
        ({"rollout_tp": 3}, KEY["ROLLOUT_TP"]),
        ({"mini_batch": 1, "rollouts": 2}, f"{KEY['MINI_BATCH']}, {KEY['ROLLOUTS']}"),  # 2 responses on 4 ranks
        ({"max_tokens": 31}, KEY["MAX_TOKENS"]),  # 8 + 24
        ({"max_length": 31}, KEY["MAX_LENGTH"]),
        ({"rollout_memory": 1.0}, KEY["ROLLOUT_MEMORY"]),
        ({"overlong_len": 24, "overlong_max": 24}, KEY["OVERLONG_LEN"]),
        ({"overlong_len": 12, "overlong_max": 30}, KEY["OVERLONG_MAX"]),
    ],
)
def test_each_rule_alone(change, named):
    assert number_problems(JOB) == []
    (problem,) = number_problems(replace(JOB, **change))
    assert problem.startswith(f"{named}: got ")


def test_context_parallelism_shares_a_sample():
    assert number_problems(replace(JOB, cp=2, max_tokens=16)) == []  # 2 x 16 = 8 + 24
