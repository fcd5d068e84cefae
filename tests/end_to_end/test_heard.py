"""What a whole job with vLLM says of itself on the console: each documented line once, from every kind of process."""

import pytest

from daro_verl.platform.overrides import cpu_overrides
from tests.end_to_end.trainer_job import MINI_BATCH, G, run, write_task

pytestmark = pytest.mark.slow
STEPS = 3
# Most rewards are NaN and no response fails, so nothing is taught. Once, a rollout server gets four messages that are
# not the trainer's: a broken one, what it has, the same with other weights, and the next one with other weights.
REWARD = """
import json
import logging
import time
from dataclasses import replace
from urllib.request import urlopen

import ray
from daro_verl.rollout.snapshot import Snapshot

logger, said = logging.getLogger("daro_verl.reward"), []

def disturb():
    server = ray.get_actor("vllm_server_0_0")
    host, port = ray.get(server.get_server_address.remote())
    while (shown := json.loads(urlopen(f"http://{host}:{port}/daro").read())["snapshot"]) is None:
        time.sleep(0.1)
    now = Snapshot(**{name: tuple(value) if isinstance(value, list) else value for name, value in shown.items()})
    other = replace(now, weights=tuple(2 * weight for weight in now.weights))
    stray = replace(other, version=now.version + 1, global_step=now.global_step + 1)
    for message in (b"{}", now.to_bytes(), other.to_bytes(), stray.to_bytes()):
        ray.get(server.receive_difficulty.remote(message))

def compute_score(data_source, solution_str, ground_truth, extra_info=None, **kwargs):
    if not said:
        said.append(logger.warning("a warning in the process of the reward"))
        disturb()
    return float("nan") if sum(map(ord, solution_str)) % 5 else 1.0
"""


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("heard")
    task = write_task(folder)
    (folder / "reward.py").write_text(REWARD)
    steps = [f"trainer.total_training_steps={STEPS}", f"data.train_batch_size={MINI_BATCH}", "trainer.save_freq=-1"]
    overrides = [*task, *cpu_overrides(num_devices=1, dtype="float32", rollout_dtype="float32"), *steps]
    done = run(folder, "verl.trainer.main_ppo", overrides, level="INFO")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stdout + done.stderr


LINES = {
    f"DARO is on: weighting=paper, its default options; G={G}; policy loss vanilla; strategy megatron; daro_verl": 1,
    "replica 0 is new or starts again, with version 0 of step 0": 1,
    "rollout server 0.0 keeps the difficulty weights that it has: ": 1,
    "refused difficulty weights (duplicate): got version 0 of step 0, keeps version 0 of step 0": 1,
    # Once from the reward, and once from the trainer, whose own message of step 1 comes after the stray one.
    "refused difficulty weights (conflict): got version 0 of step 0": 1,
    "refused difficulty weights (conflict): got version 1 of step 1": 1,
    "replica 0 keeps other difficulty weights (conflict): version 1 of step 1": 1,
    "daro_verl.reward: a warning in the process of the reward": 1,
    "responses whose reward is NaN or infinite": 1,  # an hour
    f"Something is wrong at optimizer step {STEPS}: nothing taught for {STEPS} steps": 1,
}


@pytest.mark.parametrize("line", LINES)
def test_each_line_as_often_as_it_is_true(line, log):
    assert log.count(line) == LINES[line], [text for text in log.splitlines() if line[:20] in text]
