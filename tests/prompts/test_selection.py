"""What makes a prompt worth generating for."""

import numpy as np
import pytest

from daro_verl.prompts.memory import DifficultyMemory, Posterior
from daro_verl.prompts.selection import FLOOR, band, bin_probabilities, chances, informative, informative_probability


def of(*pairs):
    return Posterior(*np.array(pairs, dtype=float).T)


def test_the_next_group_is_beta_binomial():
    """Beta(1, 1) makes every number of successes equally likely. Beta(1, 2), G = 2: P(k) = (2 x (3 - k)) / (3 x 4)."""
    assert bin_probabilities(of((1, 1)), 3)[0] == pytest.approx([0.25] * 4)
    assert bin_probabilities(of((1, 2)), 2)[0] == pytest.approx([6 / 12, 4 / 12, 2 / 12])


def test_a_known_pass_rate_is_binomial():
    """mu = 1/2, G = 4: all wrong or all right in 2 of 16 cases."""
    assert informative_probability(of((1e7, 1e7)), 4) == pytest.approx([14 / 16], abs=1e-5)


def test_the_best_known_rate_is_accepted_always_and_a_hopeless_one_at_the_floor():
    accept = informative(8, lambda: np.ones(7))
    assert accept(of((1e6, 1e6), (1e-9, 1e6))) == pytest.approx([1, FLOOR], abs=1e-3)


def test_a_difficulty_weight_draws_prompts_to_its_bin():
    """G = 2 has one bin, so its weight changes nothing; G = 4: with bins 1, 2, 3 weighted 3, 1, 1 the best rate is
    below 1/2, and a rate of 3/4 is worth less than 1/4: .42 x 3 + .21 + .05 = 1.52 against .05 x 3 + .21 + .42."""
    flat, leaning = (informative(4, lambda w=w: np.array(w)) for w in ([1, 1, 1], [3, 1, 1]))
    rates = of((1e6, 3e6), (3e6, 1e6))
    assert flat(rates)[0] == pytest.approx(flat(rates)[1])
    worth = ((leaning(rates) - FLOOR) / (1 - FLOOR)) ** 0.5
    assert worth[1] / worth[0] == pytest.approx(
        (0.046875 * 3 + 0.2109375 + 0.421875) / (0.421875 * 3 + 0.2578125), 1e-4
    )
    assert informative(2, lambda: np.array([5.0]))(rates) == pytest.approx(informative(2, lambda: np.ones(1))(rates))


def test_half_the_best_worth_is_accepted_a_quarter_as_often():
    """G = 2, one bin, weight 1: V = 2 mu (1 - mu), at most 1/2. mu = (1 - sqrt(1/2)) / 2 has V = 1/4."""
    rate = (1 - 0.5**0.5) / 2
    assert informative(2, lambda: np.ones(1))(of((1e6 * rate, 1e6 - 1e6 * rate))) == pytest.approx(
        [FLOOR + (1 - FLOOR) / 4], abs=1e-3
    )


def test_a_prompt_never_seen_is_accepted_whatever_the_rule():
    memory = DifficultyMemory()
    memory.add(np.array([1, 2]), ["math"] * 2)
    memory.observe(np.array([2]), ["math"], np.array([0.0]), np.array([8.0]), 0)
    never = band(0.99, 1.0)
    assert chances(memory, memory.rows(np.array([1, 2, 3])), never).tolist() == [1, FLOOR, 1]


def test_weights_are_those_of_now():
    weights = np.ones(3)
    accept = informative(4, lambda: weights)
    before = accept(of((3e6, 1e6)))
    weights = np.array([3.0, 1.0, 1.0])
    assert accept(of((3e6, 1e6))) < before


def test_band_has_both_bounds():
    """Means 0.1, 0.25, 0.5, 0.75, 0.9."""
    rates = of((1, 9), (1, 3), (1, 1), (3, 1), (9, 1))
    assert band(0.25, 0.75)(rates).tolist() == [FLOOR, 1, 1, 1, FLOOR]
