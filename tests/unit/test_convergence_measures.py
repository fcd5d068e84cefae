"""The benchmark's figures, in closed form."""

import math

import numpy as np
import pytest

from benchmarks.convergence.measures import Estimate, auc, auc_up_to, first_reached, share_not_positive

ROUNDS = np.array([0, 10, 20])
CURVE = np.array([0.2, 0.4, 0.5])


def test_auc_is_the_mean_of_the_evaluations():
    """(.2 + .4 + .5) / 3 = 1.1 / 3."""
    assert auc(CURVE) == pytest.approx(1.1 / 3)


@pytest.mark.parametrize(
    ("target", "rounds"),
    [
        (0.1, 0),  # there before training
        (0.4, 10),
        (0.45, 15),  # half of the way from .4 to .5
        (0.25, 2.5),  # a quarter of the way from .2 to .4
        (0.6, math.inf),
    ],
)
def test_first_reached(target, rounds):
    assert first_reached(ROUNDS, CURVE, target) == pytest.approx(rounds)


def test_first_reached_counts_the_first_time():
    assert first_reached(ROUNDS, np.array([0.0, 0.5, 0.2]), 0.25) == 5


def test_area_over_generated_responses():
    """Up to 200: trapezoids (.2 + .4) / 2 * 100 + (.4 + .5) / 2 * 100 = 30 + 45 = 75, over 200 is .375.

    Up to 150 the curve ends at .45: 30 + (.4 + .45) / 2 * 50 = 51.25, over 150. A method that generates twice as many
    per round has, up to 200, only its first half: (.2 + .4) / 2 = .3.
    """
    generated = np.array([0, 100, 200])
    assert auc_up_to(generated, CURVE, 200) == pytest.approx(0.375)
    assert auc_up_to(generated, CURVE, 150) == pytest.approx(51.25 / 150)
    assert auc_up_to(2 * generated, CURVE, 200) == pytest.approx(0.3)
    # Between 0 and 200 alone the curve is one straight line: (.2 + .5) / 2 = .35
    assert auc_up_to(generated, CURVE, 200, places=np.array([0, 200])) == pytest.approx(0.35)


def test_share_of_losses_that_are_not_positive():
    """Of four losses present, 0 and -1 are not positive: one half. Absent bins do not count."""
    losses = np.array([[1.0, np.nan, 0.0], [np.nan, -1.0, 2.0]])
    assert share_not_positive(losses) == 0.5
    assert math.isnan(share_not_positive(np.full((2, 3), np.nan)))


def test_an_interval_for_several_comparisons_and_the_seeds_that_a_difference_takes():
    """Five values with mean 2 and error .1: t is 2.776 with 4 degrees of freedom, and 4.604 at 1 - .05 / 5 (tables).

    The deviation is .1 sqrt(5); (2 x .2236 / .05)^2 = 80 seeds.
    """
    estimate = Estimate(2.0, 0.1, 5)
    assert estimate.interval() == pytest.approx((2 - 0.2776, 2 + 0.2776), abs=1e-4)
    assert estimate.interval(5) == pytest.approx((2 - 0.4604, 2 + 0.4604), abs=1e-4)
    assert estimate.seeds_to_resolve(0.05) in (80, 81)


def test_estimate():
    """Mean of 1, 2, 6 is 3; squares 4 + 1 + 9 = 14 over 2 is 7; error sqrt(7 / 3)."""
    estimate = Estimate.of([1, 2, 6])
    assert (estimate.mean, estimate.num_seeds) == (3, 3)
    assert estimate.error == pytest.approx(math.sqrt(7 / 3))
    assert math.isnan(Estimate.of([1.0]).error)
    assert Estimate(0.0123, 0.0044, 5).show(signed=True) == "+0.012 ± 0.004"
