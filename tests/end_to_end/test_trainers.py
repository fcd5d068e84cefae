"""DARO in each of verl's trainers, on the CPU: Ray, one Megatron rank, one vLLM server, three steps in float32.

A step of each of these jobs is two optimizer steps of eight prompts, and so two versions of the difficulty weights.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from daro_verl.platform.overrides import cpu_overrides
from tests.end_to_end.trainer_job import MINI_BATCH, G, metrics, run, write_task
from tests.end_to_end.watching import assert_gauges_are, assert_weights_are, served

pytestmark = pytest.mark.slow

# The experimental trainers' own searchpath names a folder of verl's repository; the package is the same elsewhere.
SEARCHPATH = "hydra.searchpath=[pkg://verl.trainer.config]"
SAVE = ["trainer.save_freq=3", "trainer.max_actor_ckpt_to_keep=1"]
STEPS = [*SAVE, "trainer.total_training_steps=3", f"data.train_batch_size={2 * MINI_BATCH}"]
SAVE_EACH = ["trainer.save_freq=1", "trainer.max_actor_ckpt_to_keep=3"]  # to compare with what the servers show
Steps = dict[int, dict[str, float]]


def exactly(*by_step: float) -> Callable[[Steps], None]:
    """The same staleness for all trajectories of a step."""

    def check(steps: Steps) -> None:
        for step, expected in enumerate(by_step, start=1):
            assert steps[step]["daro/staleness/mean"] == steps[step]["daro/staleness/max"] == expected

    return check


def as_v1_counts(within_the_step: float) -> Callable[[Steps], None]:
    """V1's own staleness counts model versions before the step; ours is two per version, plus the step's own."""

    def check(steps: Steps) -> None:
        for logged in steps.values():
            verls = "training/off_policy/trajectory_staleness"
            assert logged["daro/staleness/mean"] == pytest.approx(2 * logged[f"{verls}/mean"] + within_the_step)
            assert logged["daro/staleness/max"] <= 2 * logged[f"{verls}/max"] + 2 * within_the_step

    return check


def fully_async(steps: Steps) -> None:
    """How far generation runs ahead depends on the machine; the first update is on what was sent first."""
    assert steps[1]["daro/staleness/max"] == 0
    for step in (2, 3):
        assert 0 <= steps[step]["daro/staleness/mean"] <= steps[step]["daro/staleness/max"] <= 6
        assert steps[step]["daro/staleness/max"] >= 1  # the second update of the step before


@dataclass(frozen=True)
class Trainer:
    """How to start one of verl's trainers, and what it logs.

    Attributes:
        separate: whether the rollout server has a device of its own.
        check_staleness: gets the logged metrics by step.
        weight_versions: as logged, the newest of a step.
        num_prompts: of the batches whose advantages were estimated; each prompt once, so no prompt is split.
    """

    module: str
    overrides: list[str]
    separate: bool
    check_staleness: Callable[[Steps], None]
    weight_versions: tuple[float, float, float] = (2, 4, 6)
    num_prompts: int = 2 * MINI_BATCH


TRAINERS = {
    "sync": Trainer(
        "verl.trainer.main_ppo",
        [*STEPS, *SAVE_EACH],
        separate=False,
        check_staleness=exactly(0, 0, 0),
    ),
    "colocate_async": Trainer(
        "verl.trainer.main_ppo",
        ["trainer.v1.trainer_mode=colocate_async", *STEPS, *SAVE_EACH],
        separate=False,
        check_staleness=as_v1_counts(within_the_step=0),
    ),
    "main_ppo_v0": Trainer(
        "verl.trainer.main_ppo",
        ["trainer.use_v1=False", *STEPS],
        separate=False,
        check_staleness=exactly(0, 0, 0),
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
        check_staleness=as_v1_counts(within_the_step=0.5),
    ),
    "one_step_off_policy": Trainer(
        "verl.experimental.one_step_off_policy.main_ppo",
        [SEARCHPATH, *STEPS],
        separate=True,
        check_staleness=exactly(0, 2, 2),
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
        check_staleness=fully_async,
        weight_versions=(1, 3, 5),  # it logs in the middle of the update that completes a step
        num_prompts=MINI_BATCH,
    ),
}


def overrides(trainer: Trainer) -> list[str]:
    devices = {"num_rollout_devices": 1, "num_cpus": 32} if trainer.separate else {}
    return cpu_overrides(num_devices=1, dtype="float32", rollout_dtype="float32", **devices) + trainer.overrides


def start(name: str, folder: Path, *more: str) -> Steps:
    """Run the job, and return what it logged of its steps, those of earlier runs in ``folder`` left out."""
    trainer = TRAINERS[name]
    done = run(folder, trainer.module, [*write_task(folder), *overrides(trainer), *more])
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return {step: logged for step, logged in metrics(folder).items() if "daro/num_prompts" in logged}


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
        assert logged["daro/num_prompts"] == trainer.num_prompts
        assert sum(logged[f"daro/pass_rate/{k}of{G}"] for k in range(G + 1)) == pytest.approx(1)
    trainer.check_staleness(steps)
    first, second, third = ([steps[step][f"actor/daro/weight/{k}of{G}"] for k in range(1, G)] for step in (1, 2, 3))
    assert first != second != third and all(0.9 < weight < 1.2 for weight in first)
    saved = saved_weights(folder, 3)
    assert saved["version"] == 6 and saved["num_ranks"] == 1 and sum(saved["num_updates"]) > 0


def test_float32_rollout_and_training_agree_on_the_log_probabilities(finished_job):
    """Also in steps 2 and 3, whose rollouts are of updated weights."""
    _, steps = finished_job("sync")
    assert [logged["rollout_corr/kl"] for logged in steps.values()] == pytest.approx([0, 0, 0], abs=1e-5)


@pytest.mark.parametrize("name", ["sync", "colocate_async", "separate_async"])
def test_the_servers_hold_the_weights_of_the_model_that_they_serve(name, finished_job):
    folder, steps = finished_job(name)
    on_the_way = 0.0
    for step, logged in steps.items():
        assert (
            logged["daro/exchange/confirmed"] == 1
        )  # the one server shows what was sent before this step, bit for bit
        assert logged["daro/exchange/refused"] == logged["daro/exchange/failed"] == logged["daro/exchange/late"] == 0
        assert logged["daro/exchange/new"] == (step == 1)
        assert logged["daro/exchange/bytes"] < 1000 * logged["daro/exchange/sent"]
        on_the_way += logged["daro/exchange/sent"] - logged["daro/exchange/confirmed"]
        assert on_the_way == 1  # that of the last sync: of every other the answer came
    rows = {(row["replica"], row["global_step"]): row for row in served(folder)}
    assert {replica for replica, _ in rows} == {0}
    seen = {step for _, step in rows}
    assert max(seen) >= 1  # while an asynchronous server has a model, no response may be scored
    if name == "sync":
        assert seen == {0, 1, 2}
    for (_, step), row in rows.items():
        shown = row["snapshot"]
        assert shown["version"] == 2 * step and shown["global_step"] == step
        assert sum(shown["token_shares"]) == pytest.approx(float(step > 0))
        if step > 0:
            assert_weights_are(shown, saved_weights(folder, step))
        if name == "sync":  # elsewhere a new model may come between the two questions
            assert_gauges_are(row, G)
        # verl switches vLLM's own metrics off, unless asked
        assert (row["engines_own"] > 0) is (name == "separate_async")


@pytest.mark.parametrize("name", ["sync", "colocate_async", "separate_async"])
def test_trajectories_bring_back_version_and_pass_rate(name, finished_job):
    _, steps = finished_job(name)
    for logged in steps.values():
        came = float(logged["daro/source/num_prompts"] > 0)
        assert sum(logged[f"daro/source/{k}of{G}"] for k in range(G + 1)) == pytest.approx(came)
        by_bin = [logged[f"daro/staleness/{k}of{G}"] for k in range(G + 1) if f"daro/staleness/{k}of{G}" in logged]
        assert by_bin and all(0 <= staleness <= logged["daro/staleness/max"] for staleness in by_bin)
        if name == "sync":
            assert logged["daro/responses/discarded"] == 0
            assert logged["daro/source/num_prompts"] == 2 * MINI_BATCH
            assert logged["daro/responses/generated"] == 2 * MINI_BATCH * G
            assert logged["daro/staleness/version_unknown"] == 0
            assert [logged[f"daro/source/{k}of{G}"] for k in range(G + 1)] == pytest.approx(
                [logged[f"daro/pass_rate/{k}of{G}"] for k in range(G + 1)]
            )


@pytest.mark.parametrize("name", ["separate_async", "fully_async_policy"])
def test_a_resumed_job_goes_on_with_its_difficulty_weights(name, finished_job):
    """In the trainers that swap the model between two versions, or send it to servers that are not the trainer's."""
    folder, _ = finished_job(name)
    before = saved_weights(folder, 3)
    more = {"fully_async_policy": f"rollout.total_rollout_steps={4 * 2 * MINI_BATCH}"}
    steps = start(name, folder, "trainer.save_freq=4", more.get(name, "trainer.total_training_steps=4"))
    after = saved_weights(folder, 4)
    assert after["version"] == before["version"] + 2 == 8
    assert all(0 <= b - a <= 2 for a, b in zip(before["num_updates"], after["num_updates"], strict=True))
    # Adam moves ln w by at most about its rate per update: weights that had started anew would be nearer to 0.
    moved = [abs(a - b) for a, b in zip(before["log_weights"], after["log_weights"], strict=True)]
    assert max(moved) < 0.11 and max(before["log_weights"]) > 0.2
    assert min(steps) == 4
    if name == "separate_async":
        assert steps[4]["daro/exchange/confirmed"] == 1  # the weights of step 3, to the last bit
    assert 0 <= steps[4]["daro/staleness/mean"] <= 2.5  # at most one weight sync behind, also what was restored
