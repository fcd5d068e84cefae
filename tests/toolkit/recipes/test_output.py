"""Whose directory it is: nothing that changes the training may change over a run that is there."""

import re

import pytest

from daro_verl.toolkit.recipes import output
from daro_verl.toolkit.recipes.__main__ import plan
from daro_verl.toolkit.recipes.errors import DaroRecipeError
from daro_verl.toolkit.recipes.knobs import KNOBS, RECIPE, read_knobs
from tests.toolkit.recipes.scripts import SCRIPTS

SAVING = "trainer.save_freq=5"


@pytest.fixture
def start(knobs_of, tmp_path):
    """``start(*arguments, NAME=value)``: the checks of a start in the same directory."""

    def start(*extra: str, **knobs: str):
        return plan(read_knobs({**knobs_of(SCRIPTS[0]), "OUTPUT": str(tmp_path), **knobs}), extra)

    return start


@pytest.fixture
def run(start, tmp_path):
    """A run that was started and has a checkpoint."""
    output.claim(start(SAVING).values, [SAVING])
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / output.LATEST).write_text("20")
    return tmp_path


def test_every_knob_changes_the_training_or_may_change(start):
    assert set(KNOBS) == {*output.IDENTITY, *output.FREE} - {RECIPE}
    assert set(output.FREE) == {
        "INFER_BACKEND", "VAL_FILES", "NNODES", "GPUS", "GPU_MEMORY_GB", "RAY_ADDRESS", "TP", "PP", "CP", "ROLLOUT_TP",
        "OFFLOAD", "BRIDGE", "RECOMPUTE", "MAX_TOKENS", "ROLLOUT_MEMORY", "STEPS", "SAVE_EVERY", "KEEP", "RESUME",
        "TEST_EVERY", "VAL_FIRST", "VAL_TEMPERATURE", "VAL_TOP_P", "VAL_ROLLOUTS", "LOGGER", "PROJECT", "NAME",
        "OUTPUT", "DRY_RUN",
    }  # fmt: skip


def test_hardware_length_and_what_is_watched_may_change(run, start):
    start(NNODES="2", RAY_ADDRESS="auto", TP="2", OFFLOAD="1", STEPS="900", TEST_EVERY="5", INFER_BACKEND="sglang")
    start("trainer.test_freq=7", "actor_rollout_ref.actor.megatron.tensor_model_parallel_size=2", "hydra.verbose=false")


@pytest.mark.parametrize(
    ("knobs", "extra", "got", "expected"),
    [
        ({"METHOD": "grpo"}, (), "METHOD daro", "METHOD grpo"),
        ({"METHOD": "daro_paper"}, (), "METHOD daro", "METHOD daro_paper"),
        ({"METHOD": "grpo", "LR": "1e-5"}, (), "METHOD daro, LR 1e-06", "METHOD grpo, LR 1e-05"),
        ({"LR": "2e-6"}, (), "LR 1e-06", "LR 2e-06"),
        ({"BATCH": "256"}, (), "BATCH 128", "BATCH 256"),
        ({"SEED": "43"}, (), "SEED 42", "SEED 43"),
        ({}, ("+algorithm.daro.weighting=paper",), "arguments []", "arguments ['+algorithm.daro.weighting=paper']"),
        ({}, ("data.train_batch_size=256",), "arguments []", "arguments ['data.train_batch_size=256']"),
    ],
)  # fmt: skip
def test_another_run_is_refused(run, start, knobs, extra, got, expected):
    with pytest.raises(DaroRecipeError) as error:
        start(*extra, **knobs)
    text = str(error.value).replace("\\", "").replace('"', "'")
    assert f"of a run with {got}'" in text and f"expected one with {expected}. Fix: choose another OUTPUT" in text


def test_a_start_from_the_beginning_wants_a_directory_without_checkpoints(run, start):
    """Else the next start would resume the old one: verl resumes what ``latest_checkpointed_iteration.txt`` names."""
    for knobs, extra in (({"RESUME": "disable"}, ()), ({}, ("trainer.resume_mode=disable",))):
        with pytest.raises(
            DaroRecipeError, match="RESUME: got 'disable over a checkpoint of step 20 in .*Fix: set RES"
        ):
            start(*extra, **knobs)
    with pytest.raises(DaroRecipeError, match=r"RESUME: got(.|\n)*METHOD grpo"):
        start(RESUME="disable", METHOD="grpo")
    (run / "checkpoints" / output.LATEST).unlink()
    start(RESUME="disable")


def test_checkpoints_of_nobody_are_refused(run, start):
    (run / output.RUN).unlink()
    with pytest.raises(DaroRecipeError, match=re.escape("OUTPUT: got 'checkpoints without run.json")):
        start()


def test_another_place_for_checkpoints_is_refused(start, tmp_path):
    with pytest.raises(DaroRecipeError, match="trainer.default_local_dir: got 'elsewhere'.*Fix: set OUTPUT"):
        start("trainer.default_local_dir=elsewhere")
