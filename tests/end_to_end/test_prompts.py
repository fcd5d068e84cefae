"""A job that chooses its prompts by what it remembers of them: verl's own trainer, Megatron, vLLM, a checkpoint."""

import shutil

import numpy as np
import pytest

from daro_verl.platform.overrides import cpu_overrides
from daro_verl.prompts import memory_file
from tests.end_to_end.trainer_job import MINI_BATCH, G, metrics, run, write_task

pytestmark = pytest.mark.slow

NUM_PROMPTS = 64


def start(folder, steps):
    """With two mini-batches a step, the data set has been gone through after four steps at the earliest."""
    platform = cpu_overrides(num_devices=1, dtype="float32", rollout_dtype="float32")
    own = ["+algorithm.daro.prompts=informative", f"data.train_batch_size={2 * MINI_BATCH}", "data.seed=1"]
    saving = ["trainer.save_freq=1", f"trainer.total_training_steps={steps}"]
    done = run(folder, "verl.trainer.main_ppo", [*write_task(folder), *platform, *own, *saving])
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]


def saved(folder, step):
    return memory_file.read(folder / "checkpoints" / f"global_step_{step}" / memory_file.FILE_NAME)[0].prompts


def test_prompts_are_remembered_chosen_and_after_a_stop_the_same(tmp_path):
    """Six steps; and from a copy of what was there after the third, as after a kill, the fourth."""
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    for folder in (whole, stopped):
        folder.mkdir()
    start(whole, 6)
    logged = metrics(whole)
    for step in range(1, 7):
        assert logged[step]["daro/responses/trained"] == 2 * MINI_BATCH * G
        assert 0 <= logged[step]["daro/prompts/brier"] <= 1
    left_out = [logged[step]["daro/responses/not_generated"] for step in range(1, 7)]
    assert sum(left_out) > 0 and logged[6]["daro/responses/not_generated_so_far"] == sum(left_out)
    after = saved(whole, 6)
    assert len(after["id"]) == NUM_PROMPTS and after["visits"].sum() == 6 * 2 * MINI_BATCH
    assert after["responses"].max() > G  # some have been seen a second time
    shutil.copytree(whole / "checkpoints", stopped / "checkpoints", ignore=_later_than(3))
    (stopped / "checkpoints" / "latest_checkpointed_iteration.txt").write_text("3")
    start(stopped, 4)
    for name, column in saved(whole, 3).items():
        assert column.tobytes() == saved(stopped, 3)[name].tobytes()
    fourth = [saved(folder, 4) for folder in (whole, stopped)]
    chosen = [prompts["id"][prompts["last_step"] == 4] for prompts in fourth]
    assert len(chosen[0]) > 0 and np.array_equal(*chosen)


def _later_than(step):
    names = {f"global_step_{later}" for later in range(step + 1, 20)}
    return lambda _, found: names & set(found)
