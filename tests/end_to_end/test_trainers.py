"""DARO in each of verl's trainers, on the CPU: Ray, one Megatron rank, one vLLM server, three steps in float32.

A step of each of these jobs is two optimizer steps of eight prompts, and so two versions of the difficulty weights.
V1's ``sync``, and a resume: ``test_jobs.py``.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from daro_verl.platform.overrides import cpu_overrides
from tests.end_to_end.trainer_job import MINI_BATCH, G, metrics, run, write_task
from tests.end_to_end.watching import assert_weights_are, served

pytestmark = pytest.mark.slow

# The experimental trainers' own searchpath names a folder of verl's repository; the package is the same elsewhere.
SEARCHPATH = "hydra.searchpath=[pkg://verl.trainer.config]"
SAVE = ["trainer.save_freq=3", "trainer.max_actor_ckpt_to_keep=1"]
STEPS = [*SAVE, "trainer.total_training_steps=3", f"data.train_batch_size={2 * MINI_BATCH}"]
SAVE_EACH = ["trainer.save_freq=1", "trainer.max_actor_ckpt_to_keep=3"]  # to compare with what the servers show
Steps = dict[int, dict[str, float]]


@dataclass(frozen=True)
class Trainer:
    """How to start one of verl's trainers, and what it logs.

    Attributes:
        separate: whether the rollout server has a device of its own.
        own_servers: whether the job has a class of rollout servers that DARO does not know.
        weight_versions: as logged, the newest of a step.
    """

    module: str
    overrides: list[str]
    separate: bool
    weight_versions: tuple[float, float, float] = (2, 4, 6)
    own_servers: bool = False


TRAINERS = {
    "colocate_async": Trainer(
        "verl.trainer.main_ppo",
        ["trainer.v1.trainer_mode=colocate_async", *STEPS, *SAVE_EACH],
        separate=False,
    ),
    "main_ppo_v0": Trainer(
        "verl.trainer.main_ppo",
        ["trainer.use_v1=False", *STEPS],
        separate=False,
        own_servers=True,
    ),
    "separate_async": Trainer(
        "verl.trainer.main_ppo",
        [
            "trainer.v1.trainer_mode=separate_async",
            "trainer.v1.separate_async.parameter_sync_step=2",
            "actor_rollout_ref.rollout.disable_log_stats=False",
            *STEPS,
            *SAVE_EACH,
        ],
        separate=True,
    ),
    "one_step_off_policy": Trainer(
        "verl.experimental.one_step_off_policy.main_ppo",
        [SEARCHPATH, *STEPS],
        separate=True,
    ),
    "fully_async_policy": Trainer(
        "verl.experimental.fully_async_policy.fully_async_main",
        [
            SEARCHPATH,
            *SAVE,
            "data.train_batch_size=0",
            "data.gen_batch_size=1",
            f"rollout.total_rollout_steps={3 * 2 * MINI_BATCH}",
            "async_training.trigger_parameter_sync_step=2",
            "async_training.staleness_threshold=0.5",
            "actor_rollout_ref.actor.optim.lr_decay_steps=100",  # its trainer does not know the number of steps
        ],
        separate=True,
        weight_versions=(1, 3, 5),  # it logs in the middle of the update that completes a step
    ),
}


def overrides(trainer: Trainer) -> list[str]:
    devices = {"num_rollout_devices": 1, "num_cpus": 32} if trainer.separate else {}
    return cpu_overrides(num_devices=1, dtype="float32", rollout_dtype="float32", **devices) + trainer.overrides


def start(name: str, folder: Path) -> Steps:
    """Run the job, and return what it logged of its steps."""
    trainer = TRAINERS[name]
    modules = {"VERL_USE_EXTERNAL_MODULES": "tests.end_to_end.own_servers"} if trainer.own_servers else {}
    done = run(folder, trainer.module, [*write_task(folder), *overrides(trainer)], **modules)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return {step: logged for step, logged in metrics(folder).items() if "actor/daro/objective" in logged}


def saved_weights(folder: Path, step: int) -> dict:
    return json.loads((folder / "checkpoints" / f"global_step_{step}" / "actor" / "daro_weights.json").read_text())


@pytest.fixture(scope="module")
def finished_job(tmp_path_factory) -> Callable[[str], tuple[Path, Steps]]:
    """Three steps with the trainer of a name, run once: the folder and what was logged."""
    finished: dict[str, tuple[Path, Steps]] = {}

    def job(name: str) -> tuple[Path, Steps]:
        if name not in finished:
            folder = tmp_path_factory.mktemp(name)
            finished[name] = folder, start(name, folder)
        return finished[name]

    return job


@pytest.mark.parametrize("name", TRAINERS)
def test_a_daro_job_in_every_trainer(name, finished_job):
    folder, steps = finished_job(name)
    trainer = TRAINERS[name]
    for logged, version in zip(steps.values(), trainer.weight_versions, strict=True):
        assert logged["actor/daro/weight_version/max"] == version
        shares = [logged[f"actor/daro/response_share/{k}of{G}"] for k in range(G + 1)]
        assert sum(shares) == pytest.approx(1)
        prompts = [share * 2 * MINI_BATCH for share in shares]  # whole ones: no group was split
        assert prompts == pytest.approx([round(number) for number in prompts], abs=1e-4)
    first, second, third = ([steps[step][f"actor/daro/weight/{k}of{G}"] for k in range(1, G)] for step in (1, 2, 3))
    assert first != second != third and all(0.9 < weight < 1.2 for weight in first)
    saved = saved_weights(folder, 3)
    assert saved["version"] == 6 and saved["num_ranks"] == 1 and sum(saved["num_updates"]) > 0


def test_servers_of_another_class_are_named_and_left_alone(finished_job):
    folder, steps = finished_job("main_ppo_v0")
    line = "The rollout servers of OwnReplica do not get the difficulty weights."
    assert (folder / "log.txt").read_text().count(line) == 1
    assert not any("exchange" in name for logged in steps.values() for name in logged)
    assert not (folder / "served.jsonl").exists()


@pytest.mark.parametrize("name", ["colocate_async", "separate_async"])
def test_the_servers_hold_the_weights_of_the_model_that_they_serve(name, finished_job):
    folder, steps = finished_job(name)
    # The one server shows what was sent, bit for bit. What was sent before step 1 is logged with step 2.
    assert [logged["actor/daro/exchange/confirmed"] for logged in steps.values()] == [0, 1, 1]
    assert [logged["actor/daro/exchange/new"] for logged in steps.values()] == [0, 1, 0]
    for name_of_fault in ("refused", "failed", "late"):
        assert [logged[f"actor/daro/exchange/{name_of_fault}"] for logged in steps.values()] == [0, 0, 0]
    rows = {(row["replica"], row["global_step"]): row for row in served(folder)}
    assert {replica for replica, _ in rows} == {0}
    seen = {step for _, step in rows}
    assert max(seen) >= 1  # while an asynchronous server has a model, no response may be scored
    for (_, step), row in rows.items():
        shown = row["snapshot"]
        assert shown["version"] == 2 * step and shown["global_step"] == step
        assert sum(shown["token_shares"]) == pytest.approx(float(step > 0))
        if step > 0:
            assert_weights_are(shown, saved_weights(folder, step))
        # verl switches vLLM's own metrics off, unless asked
        assert (row["engines_own"] > 0) is (name == "separate_async")


@pytest.mark.parametrize("name", ["colocate_async", "separate_async"])
def test_the_replay_buffer_counts_what_the_rollout_generates(name, finished_job):
    _, steps = finished_job(name)
    for logged in steps.values():
        if logged["daro/source/num_prompts"]:
            assert sum(logged[f"daro/source/{k}of{G}"] for k in range(G + 1)) == pytest.approx(1)
    assert sum(logged["daro/source/num_prompts"] for logged in steps.values()) >= 3 * 2 * MINI_BATCH
