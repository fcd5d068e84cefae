"""``SMOKE=1``: a recipe as it is, on real engines without a GPU: two steps, a checkpoint, and ``eval.sh`` on it.

A tiny Qwen, on two ranks and with a resume to a third step, and SmolLM2, a pretrained Llama, on one. Qwen 1.5B does not
run: its smoke run differs from that of 7B in TP, with whose 1 the 7B is resumed, and in tied embeddings, which SmolLM2
has (``test_dry_run.py::test_the_smoke_runs_of_the_two_qwen_recipes_differ_in_layout_alone``). Nor does the tiny Llama:
its scaled rotary embeddings are compared in ``tests/platform/test_long_context.py``, its preparation is tested in
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
VALIDATION = "val-core/reasoning_gym/gcd/acc/mean@2"
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


def assert_is_a_step_of_daro(metrics: dict[str, float], version: int, g: int, correlation: float, kl: float) -> None:
    """``g`` responses to a prompt; ``correlation`` at least, ``kl`` at most, of a rollout and the training of the same
    weights: no layer, bias or rotary setting is another one in the two."""
    for k in range(1, g):
        assert 0.01 <= metrics[f"actor/daro/weight/{k}of{g}"] <= 100
    assert metrics["actor/daro/weight_version/max"] == version
    assert sum(metrics[f"actor/daro/response_share/{k}of{g}"] for k in range(g + 1)) == pytest.approx(1)
    assert metrics["training/rollout_actor_probs_pearson_corr"] >= correlation
    assert abs(metrics["rollout_corr/kl"]) < kl


def test_a_tiny_model_is_prepared_trained_resumed_in_another_layout_and_evaluated(tmp_path):
    """Resumed with another TP, as the documented settings allow."""
    script, output, g = "run_daro_qwen2.5_math_7b", tmp_path / "run", 4
    smoke(script, output, *RESHARDABLE)
    first = logged(output, attempt=1)
    smoke(script, output, *RESHARDABLE, STEPS="3", TP="1")
    second = logged(output, attempt=2)
    assert {step for step in first if "actor/grad_norm" in first[step]} == {1, 2}
    assert {step for step in second if "actor/grad_norm" in second[step]} == {3}  # not from the start again
    for step, metrics in {1: first[1], 2: first[2], 3: second[3]}.items():
        assert_is_a_step_of_daro(metrics, version=2 * step, g=g, correlation=0.999, kl=2e-3)  # two mini-batches a step
    assert any(f"actor/daro/loss/{k}of{g}" in first[step] for step in (1, 2) for k in range(1, g))
    assert 0 <= first[2][VALIDATION] <= 1 and 0 <= second[3][VALIDATION] <= 1
    actor = output / "checkpoints" / "global_step_3" / "actor"
    assert json.loads((actor / "daro_weights.json").read_text())["version"] == 6
    assert {"config.json", "tokenizer_config.json"} <= set(os.listdir(actor / "model" / "huggingface"))
    assert "recipe" in json.loads((output / "model" / "daro_model.json").read_text())  # prepared as the real one is
    found = evaluate(output)["reasoning_gym/gcd"]
    assert (found["num_problems"], found["num_responses"], found["timeouts"]) == (8, 2, 0)
    assert 0 <= found["mean"] <= found["figures"]["pass@2"]["mean"] <= 1


def test_a_pretrained_model_fills_the_bins_and_is_evaluated(tmp_path):
    """Bounds are wider, for bfloat16 in 30 layers: ``tests/end_to_end/test_real_model.py`` compares in float32."""
    output, g = tmp_path / "run", 8
    smoke("run_daro_llama8b", output, MODEL="smollm2")
    steps = {step: metrics for step, metrics in logged(output, attempt=1).items() if "actor/grad_norm" in metrics}
    assert set(steps) == {1, 2}
    for step, metrics in steps.items():
        assert_is_a_step_of_daro(metrics, version=2 * step, g=g, correlation=0.998, kl=1e-2)
    losses = [metrics.get(f"actor/daro/loss/{k}of{g}", 0) for metrics in steps.values() for k in range(1, g)]
    assert sum(abs(loss) > 1e-3 for loss in losses) >= 3
    assert not (tmp_path / "smollm2").exists()
    assert 0 < sum(found["mean"] for found in evaluate(output).values()) < 4
