"""``SMOKE=1``: a recipe as it is, on real engines without a GPU: two steps, a checkpoint, and ``eval.sh`` on it.

A tiny Qwen of 7B's layout, on two ranks. Not run: that of 1.5B, which differs in TP and in tied embeddings alone
(``test_dry_run.py::test_the_smoke_runs_of_the_two_qwen_recipes_differ_in_layout_alone``), and Llama's, whose rotary
embeddings are compared in ``tests/platform/test_long_context.py`` and whose preparation is tested in
``tests/toolkit/models``; SmolLM2 is trained in ``tests/end_to_end/test_real_model.py``. A resume:
``tests/end_to_end/test_jobs.py``; one in another layout: ``tests/ranks/test_checkpoints.py``.
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
FOREIGN = ("VERL_", "VLLM_", "RAY_", "OMP_")


def smoke(script: str, output: Path) -> None:
    """``SMOKE=1 OUTPUT=output bash recipes/script.sh``: two steps and a checkpoint."""
    run(output, [f"{script}.sh"], SMOKE="1", OUTPUT=str(output))


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


def test_a_tiny_model_is_prepared_trained_and_evaluated(tmp_path):
    output, g = tmp_path / "run", 4
    smoke("run_daro_qwen2.5_math_7b", output)
    steps = logged(output, attempt=1)
    assert {step for step in steps if "actor/grad_norm" in steps[step]} == {1, 2}
    for step in (1, 2):
        metrics = steps[step]
        for k in range(1, g):
            assert 0.01 <= metrics[f"actor/daro/weight/{k}of{g}"] <= 100
        assert metrics["actor/daro/weight_version/max"] == 2 * step  # two mini-batches a step
        assert sum(metrics[f"actor/daro/response_share/{k}of{g}"] for k in range(g + 1)) == pytest.approx(1)
        # Rollout and training of the same weights: no layer, bias or rotary setting is another one in the two.
        assert metrics["training/rollout_actor_probs_pearson_corr"] >= 0.999
        assert abs(metrics["rollout_corr/kl"]) < 2e-3
    assert any(f"actor/daro/loss/{k}of{g}" in steps[step] for step in (1, 2) for k in range(1, g))
    assert 0 <= steps[2][VALIDATION] <= 1
    actor = output / "checkpoints" / "global_step_2" / "actor"
    assert json.loads((actor / "daro_weights.json").read_text())["version"] == 4
    assert {"config.json", "tokenizer_config.json"} <= set(os.listdir(actor / "model" / "huggingface"))
    assert "recipe" in json.loads((output / "model" / "daro_model.json").read_text())  # prepared as the real one is
    found = evaluate(output)["reasoning_gym/gcd"]
    assert (found["num_problems"], found["num_responses"], found["timeouts"]) == (8, 2, 0)
    assert 0 <= found["mean"] <= found["figures"]["pass@2"]["mean"] <= 1
