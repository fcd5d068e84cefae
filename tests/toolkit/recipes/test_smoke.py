"""``SMOKE=1``: a recipe as it is, on real engines without a GPU: two steps, a checkpoint, a resume to a third, and
``eval.sh`` on that checkpoint.

A tiny Qwen, on two ranks, and SmolLM2, a pretrained Llama, on one. Qwen 1.5B does not run: its smoke run differs from
that of 7B in TP, with whose 1 the 7B is resumed, and in tied embeddings, which SmolLM2 has
(``test_dry_run.py::test_the_smoke_runs_of_the_two_qwen_recipes_differ_in_layout_alone``). Nor does the tiny Llama: its
scaled rotary embeddings are compared in ``tests/platform/test_long_context.py``, its preparation is tested in
``tests/toolkit/models``.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.toolkit.recipes.scripts import RECIPES, clean_environment

pytestmark = pytest.mark.slow
GCD, SUMS = "reasoning_gym/gcd", "arithmetic/short_sums"
ACTOR = "actor_rollout_ref.actor"
RESHARDABLE = [
    f"{ACTOR}.megatron.dist_ckpt_optim_fully_reshardable=true",
    f"{ACTOR}.checkpoint.load_contents=[model,optimizer]",
]
FOREIGN = ("VERL_", "VLLM_", "RAY_", "OMP_")


def smoke(script: str, output: Path, *arguments: str, **variables: str) -> None:
    """``SMOKE=1 OUTPUT=output bash recipes/script.sh``; two steps and a checkpoint, or as many as ``STEPS``."""
    run(output, [f"{script}.sh", *arguments], SMOKE="1", OUTPUT=str(output), **variables)


def evaluate(output: Path) -> dict:
    """``bash recipes/eval.sh`` on the newest checkpoint and the recipe's own test data; what it found."""
    data, results = output / "data" / "test.parquet", output / "evaluation"
    settings = {"DATA": str(data), "OUT": str(results), "RESPONSE_TOKENS": "48", "VERL_PLATFORM": "cpu"}
    run(output, ["eval.sh", str(output / "checkpoints")], **settings)
    return json.loads((results / "report.json").read_text())["benchmarks"]


def run(output: Path, command: list[str], **settings: str) -> None:
    """A script of ``recipes``; what it prints is added to ``output.log``."""
    environment = {name: value for name, value in clean_environment().items() if not name.startswith(FOREIGN)}
    environment |= {"PYTHON": sys.executable, **settings}
    command = ["bash", str(RECIPES / command[0]), *command[1:]]
    with open(output.with_suffix(".log"), "a") as log:
        done = subprocess.run(command, cwd=output.parent, env=environment, stdout=log, stderr=log, timeout=900)
    assert done.returncode == 0, output.with_suffix(".log").read_text()[-6000:]


def logged(output: Path, attempt: int) -> dict[int, dict[str, float]]:
    """Metrics of an attempt, by step."""
    steps: dict[int, dict[str, float]] = {}
    for line in (output / "attempts" / f"{attempt:04d}.jsonl").read_text().splitlines():
        row = json.loads(line)
        steps.setdefault(row["step"], {}).update(row["data"])
    return steps


def assert_is_a_step_of_daro(metrics: dict[str, float], version: int, g: int) -> None:
    for k in range(1, g):
        assert 0.01 <= metrics[f"actor/daro/weight/{k}of{g}"] <= 100
    assert metrics["actor/daro/weight_version/max"] == version
    assert sum(metrics[f"actor/daro/response_share/{k}of{g}"] for k in range(g + 1)) == pytest.approx(1)


def assert_trains_and_resumes(
    output: Path, g: int, benchmark: str, correlation: float, kl: float
) -> dict[int, dict[str, float]]:
    """Two steps, then a third of another attempt. The metrics, by step.

    Args:
        g: responses to a prompt.
        correlation, kl: of a rollout and the training of the same weights, at least and at most: no layer, bias or
            rotary setting is another one in the two.
    """
    first, second = (logged(output, attempt) for attempt in (1, 2))
    assert {step for step in first if "actor/grad_norm" in first[step]} == {1, 2}
    assert {step for step in second if "actor/grad_norm" in second[step]} == {3}  # not from the start again
    steps = {1: first[1], 2: first[2], 3: second[3]}
    for step, metrics in steps.items():
        assert_is_a_step_of_daro(metrics, version=2 * step, g=g)  # two mini-batches a step
        assert metrics["training/rollout_actor_probs_pearson_corr"] >= correlation
        assert abs(metrics["rollout_corr/kl"]) < kl
    assert any(f"actor/daro/loss/{k}of{g}" in steps[step] for step in (1, 2) for k in range(1, g))
    assert all(0 <= steps[step][f"val-core/{benchmark}/acc/mean@2"] <= 1 for step in (2, 3))
    actor = output / "checkpoints" / "global_step_3" / "actor"
    assert json.loads((actor / "daro_weights.json").read_text())["version"] == 6
    assert {"config.json", "tokenizer_config.json"} <= set(os.listdir(actor / "model" / "huggingface"))
    return steps


def test_a_tiny_model_is_prepared_trained_resumed_in_another_layout_and_evaluated(tmp_path):
    """Resumed with another TP, as the documented settings allow."""
    script, output = "run_daro_qwen2.5_math_7b", tmp_path / "run"
    smoke(script, output, *RESHARDABLE)
    smoke(script, output, *RESHARDABLE, STEPS="3", TP="1")
    assert_trains_and_resumes(output, g=4, benchmark=GCD, correlation=0.999, kl=2e-3)
    assert "recipe" in json.loads((output / "model" / "daro_model.json").read_text())  # prepared as the real one is
    found = evaluate(output)[GCD]
    assert (found["num_problems"], found["num_responses"], found["timeouts"]) == (8, 2, 0)
    assert 0 <= found["mean"] <= found["figures"]["pass@2"]["mean"] <= 1


def test_a_pretrained_model_fills_the_bins(tmp_path):
    output, g = tmp_path / "run", 8
    smoke("run_daro_llama8b", output, MODEL="smollm2")
    smoke("run_daro_llama8b", output, MODEL="smollm2", STEPS="3")
    # bfloat16 rounds in 30 layers; tests/end_to_end/test_real_model.py has narrower bounds, in float32
    steps = assert_trains_and_resumes(output, g, benchmark=SUMS, correlation=0.998, kl=1e-2)
    for metrics in steps.values():
        shares = [metrics[f"actor/daro/response_share/{k}of{g}"] for k in range(1, g)]
        assert sum(share > 0 for share in shares) >= 2
        assert any(abs(metrics.get(f"actor/daro/loss/{k}of{g}", 0)) > 1e-3 for k in range(1, g))
    assert not (tmp_path / "smollm2").exists()
    assert 0 < sum(found["mean"] for found in evaluate(output).values()) < 4
