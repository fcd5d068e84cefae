"""The quickstart's job on a pretrained language model: what training and rollout say of the same tokens."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from examples.quickstart.agreement import CORRELATION, KL, losses_with_theory
from examples.quickstart.history import read_attempts, training_steps

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
# Every token costs: three prompts a step with four responses, two to a held-out problem, and short ones.
ACTOR, ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
SMALL = ["data.train_batch_size=3", f"{ACTOR}.ppo_mini_batch_size=3", f"{ROLLOUT}.n=4", f"{ROLLOUT}.val_kwargs.n=2"]
SMALL += [f"{ACTOR}.ppo_micro_batch_size_per_gpu=4", f"{ROLLOUT}.log_prob_micro_batch_size_per_gpu=4"]
SMALL += ["data.max_response_length=32", "trainer.save_freq=-1"]
# The trainer computes the old log-probabilities itself, and compares them with the servers'.
COMPARED = ["algorithm.rollout_correction.bypass_mode=False"]
# In bfloat16 the two engines round differently, which would hide a fault.
EXACT = ["actor_rollout_ref.actor.megatron.dtype=float32", "actor_rollout_ref.rollout.dtype=float32"]


@pytest.fixture(scope="module")
def steps(smollm2, tmp_path_factory) -> dict[int, dict]:
    """The metrics of two steps, three prompts each."""
    output = tmp_path_factory.mktemp("quickstart")
    command = [sys.executable, "-m", "examples.quickstart", "--model", "smollm2", "--smoke", "--output", str(output)]
    command += [*SMALL, *COMPARED, *EXACT]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
    assert "held-out problems with 0 .. 2 answers right; " in done.stdout
    return training_steps(read_attempts(output / "daro" / "attempts"))


def test_rollout_and_training_agree(steps):
    assert set(steps) == {1, 2}
    for metrics in steps.values():
        assert metrics[CORRELATION] >= 0.999
        assert abs(metrics["rollout_corr/kl"]) < 1e-3


def test_the_loss_of_a_bin_is_what_its_lengths_and_rewards_say(steps):
    losses, theory = zip(*losses_with_theory(steps), strict=True)
    assert max(map(abs, losses)) > 1e-3
    assert losses == pytest.approx(theory, abs=1e-5)
    assert all(metrics[KL] == pytest.approx(0, abs=1e-6) for metrics in steps.values())
