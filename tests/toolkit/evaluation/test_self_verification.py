"""A set built in the six benchmarks' formats: every gold answer verifies against itself, from raw row to verdict."""

import pytest

from benchmarks.reward.formats import FORMATS
from benchmarks.reward.pairs import gold_answers
from daro_verl.cli import main
from daro_verl.toolkit.data.sources import BENCHMARKS
from daro_verl.toolkit.evaluation.answering import score
from daro_verl.toolkit.evaluation.benchmark_file import read_problems
from tests.toolkit.data import raw

EACH = 3  # gold answers of each format


@pytest.fixture(scope="module")
def problems(tmp_path_factory):
    """``daro data test`` on generated golds and on the traps of the real files."""
    folder = tmp_path_factory.mktemp("built")
    rows = {name: list(found) for name, found in raw.BENCHMARK_ROWS.items()}
    for number, (name, gold) in enumerate(gold_answers(EACH, seed=11)):
        rows[name].append(getattr(raw, name)(f"Problem number {number}?", gold))
    local = [f"--local={name}={raw.write_jsonl(folder / f'{name}.jsonl', found)}" for name, found in rows.items()]
    assert main(["data", "test", *local, "--out", str(folder / "test.parquet")]) == 0
    return read_problems(folder / "test.parquet")


def test_all_six_benchmarks_are_there_with_their_numbers_of_responses(problems):
    assert set(FORMATS) == set(BENCHMARKS) == {problem.benchmark for problem in problems}
    assert {(problem.benchmark, problem.num_responses) for problem in problems} == {
        ("aime24", 32), ("aime25", 32), ("amc", 32), ("math500", 1), ("minerva", 1), ("olympiadbench", 1)
    }  # fmt: skip


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_every_gold_answer_verifies_against_itself(problems, benchmark):
    own = [problem for problem in problems if problem.benchmark == benchmark]
    assert len(own) > EACH
    verdicts = {problem.gold: score(problem, rf"So \boxed{{{problem.gold}}}.", 1, "stop") for problem in own}
    assert [gold for gold, verdict in verdicts.items() if verdict.acc != 1 or verdict.timed_out] == []
