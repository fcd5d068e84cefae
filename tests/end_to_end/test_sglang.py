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


def quickstart(output: Path, *arguments: str) -> None:
    """``python -m examples.quickstart --smoke --rollout sglang``: two steps of everything."""
    own = ["--model", "tiny", "--smoke", "--rollout", "sglang", "--output", str(output)]
    command = [sys.executable, "-m", "examples.quickstart", *own]
    command += [*arguments, *SAVE_EACH, *FAST, f"reward.custom_reward_function.path={output / 'reward.py'}"]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]


def weights_file(output: Path, step: int) -> dict:
    path = output / "daro-sglang" / "checkpoints" / f"global_step_{step}" / "actor" / "daro_weights.json"
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def output(tmp_path_factory) -> Path:
    """A DARO job of two steps, and the same command again with one more step, which resumes it."""
    folder = tmp_path_factory.mktemp("quickstart")
    (folder / "reward.py").write_text(QUICKSTART_REWARD)
    quickstart(folder)
    quickstart(folder, "--steps", "3")
    return folder


@pytest.fixture(scope="module")
def steps(output) -> dict[int, dict[str, float]]:
    """Metrics of the steps that trained, over both attempts."""
    found: dict[int, dict[str, float]] = {}
    for path in sorted((output / "daro-sglang" / "attempts").glob("*.jsonl")):
        for row in map(json.loads, path.read_text().splitlines()):
            found.setdefault(row["step"], {}).update(row["data"])
    return {step: metrics for step, metrics in found.items() if "actor/daro/objective" in metrics}


def test_the_console_says_that_daro_is_on_and_what_rewards_it_saw(output):
    """Each once; the second attempt has the range from the first one's file."""
    first, second = ((output / "daro-sglang" / "attempts" / f"{attempt:04d}.log").read_text() for attempt in (1, 2))
    assert first.count("DARO is on: weighting=learned") == second.count("DARO is on: weighting=learned") == 1
    assert first.count("Rewards lie in [0, 1] (in this batch {0, 1})") == 1
    assert "Rewards lie in" not in second
    saved = json.loads((output / "daro-sglang" / "checkpoints" / "daro_rewards.json").read_text())
    assert saved["ranges"] == [[1, 0.0, 1.0]]


def test_servers_sample_from_the_actors_model_at_every_step(steps):
    """They start from random weights, and the model moves far in a step. Both compute in bfloat16."""
    assert list(steps) == [1, 2, 3]
    for metrics in steps.values():
        assert abs(metrics["rollout_corr/kl"]) < 2e-3
        assert metrics["training/rollout_probs_diff_mean"] < 0.01


def test_both_servers_hold_the_actors_weights_at_every_step(steps):
    # What was sent before step 1 is logged with step 2. Step 3 is the first one of the resumed job.
    assert [metrics["actor/daro/exchange/confirmed"] for metrics in steps.values()] == [0, 2, 0]
    for name in ("refused", "failed", "late"):
        assert [metrics[f"actor/daro/exchange/{name}"] for metrics in steps.values()] == [0, 0, 0]


def test_the_pass_rates_at_the_source_are_those_that_are_trained_on(steps):
    for metrics in steps.values():
        assert metrics["daro/responses/generated"] == G * metrics["daro/source/num_prompts"]
        for k in range(G + 1):
            assert metrics[f"daro/source/{k}of{G}"] == pytest.approx(metrics[f"actor/daro/response_share/{k}of{G}"])


def test_operators_see_the_weights_of_the_model_that_each_server_serves(output, steps):
    rows = served(output)
    # Steps 0 and 1 before the interruption, 2 after it, and the last validations.
    assert {(row["replica"], row["global_step"]) for row in rows} >= {(r, step) for r in (0, 1) for step in (0, 1, 2)}
    for row in rows:
        shown = row["snapshot"]
        assert shown["global_step"] == shown["version"] == row["global_step"]
        assert_gauges_are(row, G)
        assert row["engines_own"] > 0  # SGLang's, on the same page
        if row["global_step"]:
            assert_weights_are(shown, weights_file(output, row["global_step"]))


def test_resume_continues(output, steps):
    assert [steps[step]["actor/daro/weight_version/max"] for step in (1, 2, 3)] == [1, 2, 3]
    before, after = weights_file(output, 2), weights_file(output, 3)
    assert (before["version"], after["version"]) == (2, 3) and after["num_ranks"] == 2
    for k in range(1, G):
        taught = f"actor/daro/loss/{k}of{G}" in steps[3]
        assert after["num_updates"][k - 1] == before["num_updates"][k - 1] + taught
        assert taught or after["log_weights"][k - 1] == before["log_weights"][k - 1]
