"""What is read from a test file, and which files are refused."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from daro_verl.errors import DaroConfigError, DaroDataError
from daro_verl.toolkit.evaluation.benchmark_file import digest, read_problems
from tests.toolkit.evaluation.files import Question, write


def test_rows_are_read_as_written(test_file):
    problems = read_problems(test_file)
    assert [(p.benchmark, p.num_responses) for p in problems] == [("aime24", 4)] * 3 + [("math500", 1)] * 4
    assert problems[0].gold == "1" and problems[0].messages[0]["content"] == "How much is 0 plus one?"


def test_a_limit_takes_the_first_of_each_benchmark(test_file):
    assert [p.benchmark for p in read_problems(test_file, limit=1)] == ["aime24", "math500"]


def test_equal_rows_are_different_problems_and_order_does_not_matter(tmp_path):
    twice = [Question("amc", "One?", "1"), Question("amc", "Two?", "2"), Question("amc", "One?", "1")]
    problems = read_problems(write(tmp_path / "a.parquet", twice))
    assert len({problem.key for problem in problems}) == 3
    assert digest(problems) == digest(read_problems(write(tmp_path / "b.parquet", twice[::-1])))
    assert digest(problems) != digest(problems[:2])


BAD = {
    "no rows": ([], "no rows"),
    "a blank answer": ([Question("amc", "One?", "  ")], "answer '  '"),
    "no answer": ([Question("amc", "One?", "")], "answer ''"),
    "unknown data source": ([Question("riddles", "Who?", "Nobody", ability="riddle")], "riddles"),
    "two numbers of responses": ([Question("amc", "One?", "1", 4), Question("amc", "Two?", "2", 8)], "amc with 4, 8"),
}


@pytest.mark.parametrize(("questions", "got"), BAD.values(), ids=BAD)
def test_a_file_that_cannot_be_evaluated_says_why(tmp_path, questions, got):
    with pytest.raises(DaroDataError, match="expected.*Fix:") as error:
        read_problems(write(tmp_path / "test.parquet", questions))
    assert got in str(error.value)


def test_an_unknown_data_source_is_maths_if_the_file_says_so(tmp_path):
    assert len(read_problems(write(tmp_path / "test.parquet", [Question("mine", "One?", "1")]))) == 1


def test_missing_and_broken_files(tmp_path):
    with pytest.raises(DaroConfigError, match="an existing parquet file"):
        read_problems(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("text")
    with pytest.raises(DaroDataError, match="a parquet file"):
        read_problems(tmp_path / "text.parquet")
    pq.write_table(pa.table({"prompt": ["One?"], "data_source": ["amc"]}), tmp_path / "columns.parquet")
    with pytest.raises(DaroDataError, match="no __rollout_n__, reward_model"):
        read_problems(tmp_path / "columns.parquet")


def rewritten(test_file, out, **columns):
    """The file's first row with other columns."""
    row = pq.read_table(test_file).to_pylist()[0] | columns
    pq.write_table(pa.Table.from_pylist([row]), out)
    return out


def test_columns_that_hold_json(test_file, tmp_path):
    before = read_problems(test_file)[0]
    columns = {"prompt": json.dumps(list(before.messages)), "reward_model": json.dumps({"ground_truth": before.gold})}
    assert read_problems(rewritten(test_file, tmp_path / "test.parquet", extra_info="{}", **columns)) == [before]


@pytest.mark.parametrize(
    ("name", "value"), [("prompt", "How much?"), ("prompt", [{"role": "user"}]), ("reward_model", "1")], ids=str
)
def test_columns_of_another_form(test_file, tmp_path, name, value):
    with pytest.raises(DaroDataError, match=f"{name} of row 0.*expected a .*Fix:"):
        read_problems(rewritten(test_file, tmp_path / "test.parquet", **{name: value}))
