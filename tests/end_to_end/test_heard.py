"""What a whole job says of itself on the console: each documented line, once, from every kind of process."""

from pathlib import Path

import pytest

from daro_verl.platform.overrides import cpu_overrides
from tests.end_to_end.faults import LAST, LATE, NO_SNAPSHOT
from tests.end_to_end.trainer_job import MINI_BATCH, G, metrics, run, write_task

pytestmark = pytest.mark.slow
# Most rewards are NaN and no response fails, so nothing is taught. A rollout server gets messages that are not the
# trainer's: while it serves the model of step 0 a broken one, what it has, the same with other weights, and the next
# one with other weights; while it serves that of step 1 an older one. tests/end_to_end/faults.py has the other faults.
REWARD = """
import json
import logging
import threading
import time
from dataclasses import replace
from urllib.request import urlopen

import ray
from daro_verl.rollout.snapshot import Snapshot

logger, lock, seen = logging.getLogger("daro_verl.reward"), threading.Lock(), set()

def disturb():
    server = ray.get_actor("vllm_server_0_0")
    host, port = ray.get(server.get_server_address.remote())
    while (page := json.loads(urlopen(f"http://{host}:{port}/daro").read()))["snapshot"] is None:
        time.sleep(0.1)
    step, shown = page["global_step"], page["snapshot"]
    if step in seen or step > 1:
        return
    seen.add(step)
    now = Snapshot(**{name: tuple(value) if isinstance(value, list) else value for name, value in shown.items()})
    other = replace(now, weights=tuple(2 * weight for weight in now.weights))
    messages = {
        0: [b"{}", now.to_bytes(), other.to_bytes(),
            replace(other, version=now.version + 1, global_step=now.global_step + 1).to_bytes()],
        1: [replace(now, version=0, global_step=0).to_bytes()],
    }
    for message in messages[step]:
        ray.get(server.receive_difficulty.remote(message))

def compute_score(data_source, solution_str, ground_truth, extra_info=None, **kwargs):
    with lock:  # verl calls this in many threads
        if not seen:
            logger.warning("a warning in the process of the reward")
        disturb()
    return float("nan") if sum(map(ord, solution_str)) % 5 else 1.0
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A job with all the faults, over."""
    folder = tmp_path_factory.mktemp("heard")
    task = write_task(folder)
    (folder / "reward.py").write_text(REWARD)
    cpu = cpu_overrides(num_devices=1, dtype="float32", rollout_dtype="float32")
    steps = [f"trainer.total_training_steps={LAST}", f"data.train_batch_size={MINI_BATCH}", "trainer.save_freq=-1"]
    modules = {"VERL_USE_EXTERNAL_MODULES": "tests.end_to_end.faults"}
    done = run(folder, "verl.trainer.main_ppo", [*task, *cpu, *steps], level="INFO", **modules)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return folder


LINES = {
    f"DARO is on: weighting=paper, metrics=all; G={G}; policy loss vanilla; strategy megatron; daro_verl": 1,
    "replica 0 is new or starts again, with version 0 of step 0": 1,
    "rollout server 0.0 keeps the difficulty weights that it has: ": 1,
    "refused difficulty weights (duplicate): got version 0 of step 0, keeps version 0 of step 0": 1,
    # Once from the reward, and once from the trainer, whose own message of step 1 comes after the stray one.
    "refused difficulty weights (conflict): got version 0 of step 0": 1,
    "refused difficulty weights (conflict): got version 1 of step 1": 1,
    "replica 0 keeps other difficulty weights (conflict): version 1 of step 1": 1,
    "refused difficulty weights (older): got version 0 of step 0, keeps version 1 of step 1": 1,
    f"replica 0 has not confirmed difficulty weights: version {LATE} of step {LATE}": 1,
    f"No rollout server gets difficulty weights of step {NO_SNAPSHOT}: ": 1,
    f"replica 0 got no difficulty weights (version {LAST} of step {LAST}): ": 1,
    "daro_verl.reward: a warning in the process of the reward": 1,
    "responses whose reward is NaN or infinite": 1,  # an hour
    "Something is wrong at optimizer step 3: nothing taught for 3 steps": 1,  # an hour
}


@pytest.mark.parametrize("line", LINES)
def test_each_line_as_often_as_it_is_true(line, folder):
    log = (folder / "log.txt").read_text()
    assert log.count(line) == LINES[line], [text for text in log.splitlines() if line[:20] in text]


def test_each_fault_is_counted_once(folder):
    """A step's metrics are of the sync before the step before (docs/exchange.md)."""
    steps = metrics(folder)
    for name, expected in {"confirmed": [0, 1, 0, 0, 1], "refused": [0, 0, 1, 0, 0], "late": [0, 0, 0, 1, 0]}.items():
        assert [steps[step][f"actor/daro/exchange/{name}"] for step in range(1, LAST + 1)] == expected, name
