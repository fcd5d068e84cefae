"""The groups that balance the bins, in cases that can be counted by hand."""

import random
from collections import Counter

import pytest

from benchmarks.balanced_in_verl import at_equal_responses, measure
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


def test_the_benchmark_compares_at_equal_generated_responses():
    def rows(*generated: int) -> list[dict]:
        shares = {f"daro/pass_rate/{k}of8": (k in (1, 2)) / 2 for k in range(9)}
        steps = [
            {
                **shares,
                "daro/num_prompts": 4,
                "actor/daro/loss/1of8": 0.1 * so_far,
                "daro/responses/discarded_so_far": 0,
            }
            for so_far in generated
        ]
        return [row | {"daro/responses/generated_so_far": n} for row, n in zip(steps, generated, strict=True)]

    cut = at_equal_responses({"plain": rows(10, 25, 40), "balanced": rows(10, 20, 30)})
    plain, balanced_ = measure(cut["plain"]), measure(cut["balanced"])
    assert (plain["steps"], plain["responses_generated"]) == (2, 25)
    assert (balanced_["steps"], balanced_["responses_generated"]) == (3, 30)
    assert plain["prompts"]["1"] == plain["prompts"]["2"] == 2 and plain["smallest_bin_mean"] == 0
    assert [row["losses"][:2] for row in plain["rows"]] == [(1.0, None), (2.5, None)]
