"""The FSDP2 example as it is, with a reference model, on the CPU platform and a tiny model."""

import subprocess
import sys

import pytest

from daro_verl.platform.overrides import cpu_overrides
from tests.end_to_end.trainer_job import MINI_BATCH, ROOT, G, environment, metrics, write_task

pytestmark = pytest.mark.slow


def test_the_fsdp_example_trains_beside_its_reference_model(tmp_path):
    overrides = [
        *write_task(tmp_path),
        *cpu_overrides(num_devices=1, engine="fsdp2", rollout_dtype="float32"),
        f"data.train_batch_size={MINI_BATCH}",
        "actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu=8",
        "trainer.total_training_steps=2",
        "trainer.save_freq=-1",
    ]
    command = ["bash", str(ROOT / "examples" / "verl_fsdp_4b.sh"), *overrides]
    env = environment(tmp_path) | {"PYTHON": sys.executable}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    steps = metrics(tmp_path)
    assert steps[1]["actor/kl_loss"] == pytest.approx(0, abs=1e-6)  # the actor still is its reference
    assert steps[2]["actor/kl_loss"] > 0
    assert sum(steps[2][f"actor/daro/response_share/{k}of{G}"] for k in range(G + 1)) == pytest.approx(1)
