"""The memory in a checkpoint: to the last bit, readable by pandas; broken and foreign files; which one is resumed."""

import numpy as np
import pandas as pd
import pytest

from daro_verl.errors import DaroCheckpointError
from daro_verl.prompts import memory_file
from daro_verl.prompts.job_memory import JobMemory, memory_of_job
from daro_verl.prompts.memory import COLUMNS, DifficultyMemory


def random_memory(num_prompts=300, seed=0):
    random, memory = np.random.default_rng(seed), DifficultyMemory()
    ids = random.integers(0, 2**63, num_prompts).astype(np.uint64)
    names = np.array(["math", "code", "logic"])[random.integers(0, 3, num_prompts)]
    for step in range(5):
        some = random.choice(num_prompts, 100, replace=False)
        successes = random.binomial(8, 0.4, 100) + random.random(100) / 3
        memory.observe(ids[some], list(names[some]), successes, np.full(100, 8.4), step)
    return memory


def assert_equal(one, two):
    assert one.sources == two.sources
    assert (one.kin == two.kin).all()
    for name in COLUMNS:
        assert one.prompts[name].dtype == two.prompts[name].dtype
        assert one.prompts[name].tobytes() == two.prompts[name].tobytes()


def settings(folder, resumed=None, step=0):
    return {"folder": str(folder), "resumed": resumed and str(resumed), "step": step, "train_files": ["train.parquet"]}


def checkpoint(folder, step):
    path = folder / f"global_step_{step}"
    path.mkdir(parents=True)
    return path


@pytest.mark.parametrize("memory", [DifficultyMemory(), random_memory()], ids=["empty", "of 300 prompts"])
def test_a_memory_comes_back_to_the_last_bit(memory, tmp_path):
    memory_file.write(memory, tmp_path / "m.parquet", {"step": 3})
    read, about = memory_file.read(tmp_path / "m.parquet")
    assert_equal(read, memory)
    assert about["step"] == 3


def test_a_resumed_memory_learns_what_the_first_would_have(tmp_path):
    first = random_memory()
    memory_file.write(first, tmp_path / "m.parquet", {})
    second, _ = memory_file.read(tmp_path / "m.parquet")
    for memory in (first, second):
        memory.observe(np.array([1, 2]), ["new", "math"], np.array([3.0, 4.0]), np.array([8.0, 8.0]), 9)
    assert_equal(first, second)


def test_pandas_reads_it(tmp_path):
    memory = random_memory()
    memory_file.write(memory, tmp_path / "m.parquet", {})
    table = pd.read_parquet(tmp_path / "m.parquet")
    assert list(table) == [*COLUMNS, "predicted_pass_rate"]
    assert set(table["source"]) == {"math", "code", "logic"}
    assert table["predicted_pass_rate"].between(0, 1).all()


def foreign(path):
    pd.DataFrame({"id": [1]}).to_parquet(path)


def shuffled(path):
    memory = random_memory()
    memory.prompts = {name: column[::-1] for name, column in memory.prompts.items()}
    memory_file.write(memory, path, {})


def incomplete(path):
    memory_file.write(random_memory(), path, {})
    import pyarrow.parquet as pq

    pq.write_table(pq.read_table(path).drop_columns(["visits"]), path)


BROKEN = {
    "cut off": lambda path: path.write_bytes(b"PAR1 and nothing more"),
    "foreign": foreign,
    "shuffled": shuffled,
    "incomplete": incomplete,
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_ends_the_job_with_a_way_out(kind, tmp_path):
    path = checkpoint(tmp_path, 4) / memory_file.FILE_NAME
    BROKEN[kind](path)
    with pytest.raises(
        DaroCheckpointError, match="expected the difficulty memory of a job.*Fix: restore it, or delete"
    ):
        memory_of_job(settings(tmp_path, tmp_path, 4))


def test_a_job_goes_on_with_the_memory_of_its_checkpoint(tmp_path):
    memories = {step: random_memory(seed=step) for step in (2, 4, 6)}
    for step, memory in memories.items():
        JobMemory(memory, ["train.parquet"]).save(checkpoint(tmp_path, step), step)
    resumed = memory_of_job(settings(tmp_path, tmp_path, 4))
    assert_equal(resumed.memory, memories[4])
    assert memory_of_job(settings(tmp_path, tmp_path, 4)) is resumed
    assert memory_file.read(tmp_path / "global_step_4" / memory_file.FILE_NAME)[1]["train_files"] == ["train.parquet"]


def test_a_checkpoint_that_was_killed_before_its_memory_was_saved(tmp_path, caplog):
    """verl names the checkpoint first. The memory is then that of the newest checkpoint before it, and the log says so;
    never that of a later one, which the job has not seen."""
    memory = random_memory()
    for step in (2, 6):
        JobMemory(memory).save(checkpoint(tmp_path, step), step)
    checkpoint(tmp_path, 4)
    assert_equal(memory_of_job(settings(tmp_path, tmp_path, 4)).memory, memory)
    assert (
        "The checkpoint of step 4 has no daro_prompts.parquet: the prompts' difficulty is that of step 2."
        in caplog.text
    )


def test_a_checkpoint_of_a_job_without_memory(tmp_path, caplog):
    checkpoint(tmp_path, 4)
    assert len(memory_of_job(settings(tmp_path, tmp_path, 4)).memory) == 0
    assert "No checkpoint up to step 4 knows" in caplog.text
