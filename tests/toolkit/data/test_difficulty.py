"""``daro data difficulty``: the rows of a data set by what a job knows of them."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from daro_verl.cli import app
from daro_verl.prompts.identity import prompt_ids
from daro_verl.prompts.job_memory import JobMemory
from daro_verl.toolkit.data.parquet_file import METADATA, footer

RATES = {"0": 0, "1": 1, "2": 4, "3": 8}
"""Right responses of 8 by prompt, in each of three visits; prompt 4 was never seen."""


@pytest.fixture
def job(tmp_path):
    """Checkpoints of steps 2 and 10; only the later one knows all four prompts."""
    rows = [
        {"data_source": "sums", "prompt": [{"role": "user", "content": n}], "extra_info": {"index": int(n)}}
        for n in (*RATES, "4")
    ]
    train = tmp_path / "train.parquet"
    pd.DataFrame(rows).to_parquet(train)
    ids, sources = prompt_ids(rows[:4], "prompt")
    known = JobMemory(train_files=[str(train)])
    for step, num in ((2, 1), (10, 4), (10, 4), (10, 4)):
        successes = np.array(list(RATES.values()), dtype=float)[:num]
        known.memory.observe(ids[:num], sources[:num], successes, np.full(num, 8.0), step)
        folder = tmp_path / "checkpoints" / f"global_step_{step}"
        folder.mkdir(parents=True, exist_ok=True)
        known.save(folder, step)
    return tmp_path


def run(job, *arguments, out="band.parquet"):
    command = ["data", "difficulty", str(job / "checkpoints"), "--out", str(job / out), *arguments]
    return CliRunner().invoke(app, command)


def written(job):
    table = pd.read_parquet(job / "band.parquet")
    assert list(table) == ["data_source", "prompt", "extra_info"]
    return [row[0]["content"] for row in table["prompt"]]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--low", "0.3", "--high", "0.7"], ["2"]),
        (["--low", "0.08"], ["1", "2", "3"]),
        (["--high", "0.05"], ["0"]),
        (["--low", "0.3", "--high", "0.7", "--not-seen"], ["2", "4"]),
        ([], ["0", "1", "2", "3"]),
    ],
)
def test_rows_within_the_bounds(job, arguments, expected):
    """Three equal visits: predicted is near 0, 1/8, 1/2 and 1."""
    done = run(job, *arguments)
    assert done.exit_code == 0, done.output
    assert written(job) == expected
    assert f"{len(expected)} of 5 rows" in " ".join(done.output.split())


def test_all_prompts_by_kind(job):
    output = run(job).output
    for kind, number in {
        "not seen": 1,
        "never solved": 1,
        "0 to 0.25": 1,
        "0.5 to 0.75": 1,
        "always solved": 1,
    }.items():
        assert any(kind in line and line.split()[-2] == str(number) for line in output.splitlines()), (kind, output)


def test_a_checkpoint_of_an_earlier_step(job):
    done = CliRunner().invoke(
        app,
        ["data", "difficulty", str(job / "checkpoints" / "global_step_2"), "--out", str(job / "band.parquet")],
    )
    assert done.exit_code == 0, done.output
    assert written(job) == ["0"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--low", "0.6", "--high", "0.4"], "--low, --high: got '0.6 and 0.4', expected 0 <= low <= high <= 1"),
        (["--low", "0.8", "--high", "0.85"], "got '0 of 5 rows, 4 of them seen by the job'"),
        (["--data", "gone.parquet"], "--data: got"),
        (["--prompt-key", "chat"], "expected a column chat"),
    ],
)
def test_what_cannot_be_filtered(job, arguments, message):
    done = run(job, *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert not (job / "band.parquet").exists()


def test_a_file_is_not_written_over_unless_asked(job):
    assert run(job, out="train.parquet").exit_code != 0
    assert len(pd.read_parquet(job / "train.parquet")) == 5
    assert run(job).exit_code == 0 and run(job, "--overwrite", "--high", "0.05").exit_code == 0
    assert written(job) == ["0"]


def test_a_part_of_a_file_does_not_pass_for_the_whole(job):
    """`daro data train` finds its finished file by a footer, which the part must not have."""
    table = pq.read_table(job / "train.parquet")
    pq.write_table(table.replace_schema_metadata({METADATA: '{"fingerprint": "f"}'}), job / "train.parquet")
    assert run(job).exit_code == 0
    assert footer(job / "train.parquet") == {"fingerprint": "f"} and footer(job / "band.parquet") is None
