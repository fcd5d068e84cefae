"""The main job with SGLang: verl's ``main_ppo``, Ray, Megatron actors at TP = 2, two SGLang servers, on the CPU.

Left out where SGLang is not installed (``tests/conftest.py``); ``make test-sglang`` runs it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.watching import QUICKSTART_REWARD, assert_gauges_are, assert_weights_are, served

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
G = 8
SAVE_EACH = ["trainer.save_freq=1", "trainer.max_actor_ckpt_to_keep=3"]  # to compare with what the servers show
# So fast that the model of a step is another one than the step before's: a sync that does not arrive would show.
FAST = ["actor_rollout_ref.actor.optim.lr=2e-3"]


def weights_file(output: Path, step: int) -> dict:
    path = output / "daro-sglang" / "checkpoints" / f"global_step_{step}" / "actor" / "daro_weights.json"
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def output(tmp_path_factory) -> Path:
    """A DARO job of two steps: ``python -m examples.quickstart --smoke --rollout sglang``."""
    folder = tmp_path_factory.mktemp("quickstart")
    reward = folder / "reward.py"
    reward.write_text(QUICKSTART_REWARD)
    command = [sys.executable, "-m", "examples.quickstart", "--model", "tiny", "--smoke", "--rollout", "sglang"]
    command += ["--output", str(folder), *SAVE_EACH, *FAST, f"reward.custom_reward_function.path={reward}"]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def steps(output) -> dict[int, dict[str, float]]:
    """Metrics of the steps that trained."""
    found: dict[int, dict[str, float]] = {}
    for line in (output / "daro-sglang" / "attempts" / "0001.jsonl").read_text().splitlines():
        row = json.loads(line)
        found.setdefault(row["step"], {}).update(row["data"])
    return {step: metrics for step, metrics in found.items() if "actor/daro/objective" in metrics}


def test_servers_sample_from_the_actors_model_at_every_step(steps):
    """They start from random weights, and the model moves far in a step. Both compute in bfloat16."""
    assert list(steps) == [1, 2]
    for metrics in steps.values():
        assert abs(metrics["rollout_corr/kl"]) < 2e-3
        assert metrics["training/rollout_probs_diff_mean"] < 0.01


def test_both_servers_hold_the_actors_weights_at_every_step(steps):
    # What was sent before step 1 is logged with step 2.
    assert [metrics["actor/daro/exchange/confirmed"] for metrics in steps.values()] == [0, 2]
    for name in ("refused", "failed", "late"):
        assert [metrics[f"actor/daro/exchange/{name}"] for metrics in steps.values()] == [0, 0]


def test_the_pass_rates_at_the_source_are_those_that_are_trained_on(steps):
    for metrics in steps.values():
        assert metrics["daro/responses/generated"] == G * metrics["daro/source/num_prompts"]
        for k in range(G + 1):
            assert metrics[f"daro/source/{k}of{G}"] == pytest.approx(metrics[f"actor/daro/response_share/{k}of{G}"])


def test_operators_see_the_weights_of_the_model_that_each_server_serves(output, steps):
    rows = served(output)
    assert {(row["replica"], row["global_step"]) for row in rows} >= {(r, step) for r in (0, 1) for step in (0, 1)}
    for row in rows:
        shown = row["snapshot"]
        assert shown["global_step"] == shown["version"] == row["global_step"]
        assert_gauges_are(row, G)
        assert row["engines_own"] > 0  # SGLang's, on the same page
        if row["global_step"]:
            assert_weights_are(shown, weights_file(output, row["global_step"]))
