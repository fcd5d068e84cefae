"""Figures as closed forms."""

import itertools
import math

import pytest

from daro_verl.reward.math import compute_score
from daro_verl.toolkit.evaluation.estimates import (
    MeanWithError,
    macro_average,
    mean_over_problems,
    paired_difference,
    student_quantile,
)
from daro_verl.toolkit.evaluation.row_file import Response, Row
from daro_verl.toolkit.evaluation.summary import budgets, figures, majority, pass_at, pass_rate, repeated, summarise


def row(benchmark, *responses, key="a"):
    """``responses``: ``(pred, acc)`` with any of the other fields."""
    rest = [False, 10, "stop"]
    made = [Response(*response, *rest[len(response) - 2 :]) for response in responses]
    return Row(key, benchmark, 5, tuple(made))


def test_the_standard_error_is_over_problems():
    # mean (1 + 0 + 0.5) / 3 = 0.5; s^2 = (0.25 + 0.25 + 0) / 2 = 0.25; se = 0.5 / sqrt(3)
    assert mean_over_problems([1, 0, 0.5]) == pytest.approx((0.5, 0.5 / math.sqrt(3), 2))


def test_one_problem_has_no_standard_error():
    estimate = mean_over_problems([1.0])
    assert estimate.mean == 1 and math.isnan(estimate.se) and all(map(math.isnan, estimate.interval()))


def test_the_average_counts_each_benchmark_the_same():
    # (0.2 + 0.6) / 2 = 0.4; sqrt(0.03^2 + 0.04^2) / 2 = 0.05 / 2; df = 25^2 / (9^2 / 3 + 16^2 / 4) = 625 / 91
    average = macro_average([MeanWithError(0.2, 0.03, 3), MeanWithError(0.6, 0.04, 4)])
    assert average == pytest.approx((0.4, 0.025, 625 / 91))


def test_the_average_of_equal_problems_has_no_spread():
    assert macro_average([MeanWithError(0.5, 0.0, 2), MeanWithError(1.0, 0.0, 3)]).interval() == (0.75, 0.75)


@pytest.mark.parametrize(
    ("df", "expected"),
    [
        (1, math.tan(0.475 * math.pi)),  # Cauchy: F(t) = 1/2 + arctan(t) / pi
        (2, 0.95 * math.sqrt(2 / (1 - 0.95**2))),  # F(t) = 1/2 + t / (2 sqrt(2 + t^2))
        (29, 2.045230),  # of the tables: AIME's 30 problems
        (1000, 1.962339),
        (10**6, 1.962339),  # the normal's is 1.959964
    ],
)
def test_students_quantile(df, expected):
    assert student_quantile(df) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("k", "n", "c", "expected"),
    [
        (1, 4, 1, 1 / 4),
        (2, 4, 1, 1 / 2),  # 1 - C(3, 2) / C(4, 2) = 1 - 3 / 6
        (2, 4, 2, 5 / 6),  # 1 - C(2, 2) / C(4, 2) = 1 - 1 / 6
        (4, 4, 1, 1),  # 1 - C(3, 4) / C(4, 4) = 1 - 0
        (4, 4, 0, 0),  # 1 - C(4, 4) / C(4, 4)
        (8, 32, 3, 1 - 24 * 23 * 22 / (32 * 31 * 30)),  # C(29, 8) / C(32, 8) = (24 23 22) / (32 31 30)
    ],
)
def test_pass_at_k(k, n, c, expected):
    assert pass_at(k, n, c) == pytest.approx(expected)


def test_pass_at_k_is_the_share_of_choices_with_a_right_response():
    right = [1, 0, 0, 1, 0]
    choices = [any(chosen) for chosen in itertools.combinations(right, 3)]
    assert pass_at(3, 5, 2) == pytest.approx(sum(choices) / len(choices))


def test_the_budgets_of_pass_at_k():
    assert [budgets(n) for n in (2, 6, 32)] == [[2], [2, 4, 6], [2, 4, 8, 16, 32]]


def test_the_figures_of_a_problem():
    # 1 of 3 right: 1 - C(2, 2) / C(3, 2) = 2 / 3; two say 5
    found = figures(row("amc", ("3", 1.0), ("5", 0.0), ("5", 0.0)))
    assert found == {"mean@3": 1 / 3, "pass@2": pytest.approx(2 / 3), "pass@3": 1.0, "maj@3": 0.0}
    assert figures(row("math500", ("3", 1.0))) == {"mean@1": 1.0}


def test_only_long_responses_count_as_repeated():
    def of(length, digest):
        return ("", 0.0, False, length, "length", digest)

    assert repeated(row("amc", of(256, "a"), of(256, "b"), of(300, "a"), of(300, "a"))) == 2
    assert repeated(row("amc", of(255, "a"), of(255, "a"), of(0, ""), of(0, ""))) == 0
    assert repeated(row("amc", of(8192, ""), of(8192, ""))) == 0  # of an earlier file: not known


def test_pairing_removes_what_problems_share():
    # differences 0.1, 0.1, 0.1: no spread, although the rates themselves go from 0 to 0.9
    difference = paired_difference([0.0, 0.5, 0.9], [0.1, 0.6, 1.0])
    assert difference == pytest.approx((0.1, 0.0, 2), abs=1e-12)
    # differences 1, 0: mean 0.5, s^2 = 0.5, se = sqrt(0.5 / 2) = 0.5; one degree of freedom: 0.5 -+ 12.7062 * 0.5
    assert paired_difference([0, 1], [1, 1]).interval() == pytest.approx((-5.8531, 6.8531), abs=1e-4)


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
    assert (
        summarise([row("math500", *responses)]).benchmarks[0].figures["maj@5"].mean == 0.0
    )  # 2 votes for 5 cm, 3 for 5 km
    assert summarise([row("math500", *responses[:-2])]).benchmarks[0].figures["maj@3"].mean == 1.0  # 2 to 1


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
    assert aime.mean == pytest.approx((0.25, 0.25, 1))
    # a: 1 - C(2, 2) / C(4, 2) = 5 / 6, b: 0; mean 5 / 12, s^2 = 2 (5 / 12)^2, se = 5 / 12
    assert aime.figures["pass@2"] == pytest.approx((5 / 12, 5 / 12, 1))
    assert aime.figures["pass@4"] == aime.figures["maj@4"] == pytest.approx((0.5, 0.5, 1))
    assert aime.truncated == 2 / 8
    assert aime.mean_length == pytest.approx((10 + 10 + 40 + 20 + 10 + 10 + 10 + 40) / 8)
    assert (math500.mean.mean, math500.no_room, math500.mean_length) == (0.5, 1, 10)  # nothing generated, no length
    assert summarise(rows).average.mean == pytest.approx((0.25 + 0.5) / 2)
    assert [pass_rate(item) for item in rows] == [0.5, 0, 1, 0]
