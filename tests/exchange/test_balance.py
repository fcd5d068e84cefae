"""The groups that balance the bins, in cases that can be counted by hand."""

import random
from collections import Counter

import pytest

from daro_verl.rollout.balance import balanced

ONES = [1.0, 1.0, 1.0]


def chosen_bins(bins, num, weights=ONES, num_rollouts=4) -> list:
    positions = balanced(bins, num, num_rollouts, weights)
    assert len(positions) == len(set(positions)) == num
    return [bins[position] for position in positions]


def test_scarce_bins_are_kept_whole_and_the_rest_is_even():
    assert Counter(chosen_bins([1] * 10 + [2] + [3] * 3, 8)) == {1: 4, 2: 1, 3: 3}


def test_the_weight_decides_where_the_counts_are_even():
    bins = [1, 1, 2, 2, 3, 3]
    assert Counter(chosen_bins(bins, 4, weights=[1.0, 3.0, 2.0])) == {1: 1, 2: 2, 3: 1}
    assert chosen_bins(bins, 1, weights=[1.0, 2.0, 3.0]) == [3]
    assert chosen_bins(bins, 1) == [1]


def test_of_a_bin_the_first_comes_first():
    assert balanced([1, 2, 1, 2], 2, 4, ONES) == [0, 1]
    assert balanced([2, 2, 2], 2, 4, ONES) == [0, 1]


def test_what_teaches_nothing_only_fills_up():
    assert chosen_bins([0, 4, 1, None, 2], 2) == [1, 2]
    assert chosen_bins([0, 4, 1, None, 2], 4) == [1, 2, 0, 4]
    assert chosen_bins([None, None], 1) == [None]
    assert balanced([], 0, 4, ONES) == []


@pytest.mark.parametrize("seed", range(20))
def test_no_choice_has_a_larger_smallest_bin(seed):
    """Of the bins that have groups at all; the largest possible smallest count is found by trying."""
    rng = random.Random(seed)
    bins = [rng.randint(0, 4) for _ in range(rng.randint(4, 40))]
    there = {k: bins.count(k) for k in (1, 2, 3) if k in bins}
    num = rng.randint(1, len(bins))
    counts = Counter(chosen_bins(bins, num))
    best = max(level for level in range(len(bins)) if sum(min(level, n) for n in there.values()) <= num)
    assert all(counts[k] >= min(best, n) for k, n in there.items())
