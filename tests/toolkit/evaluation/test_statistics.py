"""Figures as closed forms."""

import math

import pytest

from daro_verl.reward.math import compute_score
from daro_verl.toolkit.evaluation.row_file import Response, Row
from daro_verl.toolkit.evaluation.summary import (
    MeanWithError,
    macro_average,
    majority,
    mean_over_problems,
    paired_difference,
    pass_rate,
    summarise,
)


def row(benchmark, *responses, key="a"):
    """``responses``: ``(pred, acc)`` with any of the other fields."""
    rest = [False, 10, "stop"]
    made = [Response(*response, *rest[len(response) - 2 :]) for response in responses]
    return Row(key, benchmark, 5, tuple(made))


def test_the_standard_error_is_over_problems():
    # mean (1 + 0 + 0.5) / 3 = 0.5; s^2 = (0.25 + 0.25 + 0) / 2 = 0.25; se = 0.5 / sqrt(3)
    assert mean_over_problems([1, 0, 0.5]) == pytest.approx((0.5, 0.5 / math.sqrt(3)))


def test_one_problem_has_no_standard_error():
    estimate = mean_over_problems([1.0])
    assert estimate.mean == 1 and math.isnan(estimate.se)


def test_the_average_counts_each_benchmark_the_same():
    # (0.2 + 0.6) / 2 = 0.4; sqrt(0.03^2 + 0.04^2) / 2 = 0.05 / 2
    assert macro_average([MeanWithError(0.2, 0.03), MeanWithError(0.6, 0.04)]) == pytest.approx((0.4, 0.025))


def test_pairing_removes_what_problems_share():
    # differences 0.1, 0.1, 0.1: no spread, although the rates themselves go from 0 to 0.9
    difference = paired_difference([0.0, 0.5, 0.9], [0.1, 0.6, 1.0])
    assert difference == pytest.approx((0.1, 0.0), abs=1e-12)
    # differences 1, 0: mean 0.5, s^2 = 0.5, se = sqrt(0.5 / 2) = 0.5; 0.5 -+ 1.96 * 0.5
    assert paired_difference([0, 1], [1, 1]).interval() == pytest.approx((-0.48, 1.48), abs=1e-4)


@pytest.mark.parametrize(
    ("predictions", "right", "expected"),
    [
        (["3", "3", "5"], [1, 1, 0], 1.0),
        (["3", "5", "5"], [1, 0, 0], 0.0),
        (["", "", "3"], [0, 0, 1], 1.0),  # no answer, no vote
        (["", ""], [0, 0], 0.0),
        (["3", "5"], [1, 0], 0.5),  # a tie: one of the two by lot
        (["5", "3"], [0, 1], 0.5),  # in any order
        (["3", "5", "7"], [1, 0, 0], 1 / 3),
        (["5", "5", "5"], [1, 0, 0], 0.0),  # 5 cm is right, two say 5 km
        (["5", "5", "5", "5"], [1, 0, 1, 0], 0.5),
    ],
)
def test_the_majority(predictions, right, expected):
    assert majority(predictions, right, [False] * len(right)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("predictions", "right", "undecided", "expected"),
    [
        (["x+1", "x+1", "y"], [0, 1, 0], [True, False, False], 1.0),  # 2 to 1: the undecided one votes with the right
        (["x+1", "x+1", "y"], [0, 0, 0], [True, False, False], 0.0),
        (["x+1", "x+1", "y", "y"], [0, 0, 1, 1], [True, True, False, False], 0.5),
    ],
)
def test_undecided_responses_vote_with_those_that_say_the_same(predictions, right, undecided, expected):
    assert majority(predictions, right, undecided) == pytest.approx(expected)


def test_two_units_are_two_answers():
    gold = r"5\text{ cm}"
    answers = [r"5\text{ cm}", "5", r"5\text{ km}", r"5\text{ km}", r"5\text{ km}"]
    rewards = [compute_score("test", rf"\boxed{{{answer}}}", gold) for answer in answers]
    assert [reward["pred"] for reward in rewards] == ["5"] * 5
    responses = [(reward["pred"], reward["acc"], reward["timed_out"]) for reward in rewards]
    assert summarise([row("math500", *responses)]).benchmarks[0].majority == 0.0  # 2 votes for 5 cm, 3 for 5 km
    assert summarise([row("math500", *responses[:-2])]).benchmarks[0].majority == 1.0  # 2 to 1


def test_all_figures_of_a_benchmark():
    rows = [
        row("aime24", ("3", 1.0), ("3", 1.0), ("5", 0.0, False, 40, "length"), ("", 0.0, True, 20, "stop"), key="a"),
        row("aime24", ("7", 0.0), ("8", 0.0), ("8", 0.0), ("", 0.0, False, 40, "length"), key="b"),
        row("math500", ("1", 1.0), key="c"),
        row("math500", ("", 0.0, False, 0, "no_room"), key="d"),
    ]
    aime, math500 = summarise(rows).benchmarks
    assert (aime.num_problems, aime.num_responses, aime.timeouts, aime.no_room) == (2, 4, 1, 0)
    # rates 0.5 and 0: mean 0.25, s^2 = 2 * 0.25^2, se = s / sqrt(2) = 0.25
    assert aime.mean == pytest.approx((0.25, 0.25))
    assert (aime.best, aime.majority, aime.truncated) == (0.5, 0.5, 2 / 8)
    assert aime.mean_length == pytest.approx((10 + 10 + 40 + 20 + 10 + 10 + 10 + 40) / 8)
    assert (math500.mean.mean, math500.no_room, math500.mean_length) == (0.5, 1, 10)  # nothing generated, no length
    assert summarise(rows).average.mean == pytest.approx((0.25 + 0.5) / 2)
    assert [pass_rate(item) for item in rows] == [0.5, 0, 1, 0]
