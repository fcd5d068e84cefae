"""Verdicts on responses: by the math reward, and by a generated task's own scorer."""

import json

import pytest

from daro_verl.toolkit.evaluation.answering import score
from daro_verl.toolkit.evaluation.benchmark_file import BenchmarkProblem

MATHS = BenchmarkProblem("key", "amc", (), "142", 1)


@pytest.mark.parametrize(
    ("text", "pred", "acc"),
    [(r"so \boxed{142}", "142", 1.0), (r"\boxed{142.0}", "142.0", 1.0), (r"\boxed{5}", "5", 0.0), ("142", "", 0.0)],
)
def test_maths_is_scored_as_in_training(text, pred, acc):
    response = score(MATHS, text, 7, "stop")
    assert (response.pred, response.acc, response.timed_out, response.length) == (pred, acc, False, 7)


def test_a_timeout_is_not_a_wrong_answer(monkeypatch):
    undecided = {"pred": "x", "acc": 0.0, "score": 0.0, "timed_out": True}
    monkeypatch.setattr("daro_verl.toolkit.evaluation.answering.compute_score", lambda **_: undecided)
    assert score(MATHS, r"\boxed{x}", 7, "stop").timed_out


@pytest.fixture(scope="module")
def task():
    gym = pytest.importorskip("reasoning_gym")
    entry = gym.create_dataset("chain_sum", size=1, seed=0)[0]
    made = BenchmarkProblem("key", "reasoning_gym/chain_sum", (), entry["answer"], 1, "chain_sum", json.dumps(entry))
    return made, entry["answer"]


def test_a_task_is_scored_by_its_own_scorer_from_its_threshold_on(task):
    problem, answer = task
    assert score(problem, rf"\boxed{{{answer}}}", 3, "stop").acc == 1
    assert score(problem, rf"\boxed{{it is {answer}}}", 3, "stop").acc == 0  # a part of 1.0
    assert score(problem, answer, 3, "stop") == score(problem, "", 3, "stop")  # no box, no answer


def test_a_scorer_that_fails_is_counted_as_such(task):
    problem, answer = task
    broken = BenchmarkProblem("key", problem.benchmark, (), "1", 1, "chain_sum", "not JSON")
    assert score(broken, r"\boxed{1}", 3, "stop").timed_out
