"""The FSDP2 example as it is, with a reference model and rewards of 10 and 100, on the CPU platform.

Two FSDP2 ranks and two vLLM servers, in float32."""

import json
import subprocess
import sys

import pytest

from daro_verl.platform.overrides import cpu_overrides
from tests.end_to_end.trainer_job import MINI_BATCH, REWARD, ROOT, G, environment, metrics, write_task

pytestmark = pytest.mark.slow


def test_the_fsdp_example_trains_beside_its_reference_model(tmp_path):
    overrides = [
        *write_task(tmp_path),
        *cpu_overrides(num_devices=2, engine="fsdp2", rollout_dtype="float32"),
        f"data.train_batch_size={MINI_BATCH}",
        "actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu=8",
        "trainer.total_training_steps=2",
        "trainer.save_freq=-1",
    ]
    (tmp_path / "reward.py").write_text(REWARD.replace("return float(", "return 10 + 90 * float("))
    command = ["bash", str(ROOT / "examples" / "verl_fsdp_4b.sh"), *overrides]
    env = environment(tmp_path) | {"PYTHON": sys.executable}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    steps = metrics(tmp_path)
    # The second step also shows that the updated weights reached the servers.
    assert [steps[step]["rollout_corr/kl"] for step in (1, 2)] == pytest.approx([0, 0], abs=1e-5)
    assert steps[1]["actor/kl_loss"] == pytest.approx(0, abs=1e-6)  # the actor still is its reference
    assert steps[2]["actor/kl_loss"] > 0
    # In units of the range: what lengths say of rewards of 0 and 1, in a mini-batch that is on policy.
    assert steps[1]["critic/score/max"] == 100 and steps[1]["critic/score/min"] == 10
    assert json.loads((tmp_path / "checkpoints" / "daro_rewards.json").read_text())["ranges"] == [[1, 10.0, 100.0]]
    taught = [k for k in range(1, G) if f"actor/daro/loss/{k}of{G}" in steps[1]]
    assert taught
    for k in taught:
        right, wrong = (steps[1].get(f"actor/daro/length_{side}/{k}of{G}") for side in ("right", "wrong"))
        mu = k / G
        expected = mu * (1 - mu) * (wrong - right) / (mu * right + (1 - mu) * wrong)
        assert steps[1][f"actor/daro/loss/{k}of{G}"] == pytest.approx(expected, abs=1e-4)
    assert sum(steps[2][f"actor/daro/response_share/{k}of{G}"] for k in range(G + 1)) == pytest.approx(1)
