"""Which groups to train on where more were sampled than are needed: those that balance the bins."""

from collections import defaultdict
from collections.abc import Sequence


def balanced(bins: Sequence[int | None], num: int, num_rollouts: int, weights: Sequence[float]) -> list[int]:
    """Choose ``num`` groups so that the smallest bins get as many as they can.

    One group at a time, from the bin that has the fewest chosen so far and one left; of several such bins from the one
    with the largest weight; of a bin the one that comes first. Bins 0 and G (left where verl's filter goes by
    another metric than the reward) and groups without a pass rate only fill up what is missing, in the order given.

    Args:
        bins: ``k`` of each group, None where it is not known; the order says which of a bin comes first (the oldest).
        num: at most the number of groups.
        num_rollouts: ``G``.
        weights: [G-1] ``w_k`` of the bins ``k = 1 .. G-1``.

    Returns:
        Positions in ``bins``, in the order chosen.
    """
    left: dict[int, list[int]] = defaultdict(list)
    for position in reversed(range(len(bins))):
        k = bins[position]
        if k is not None and 0 < k < num_rollouts:
            left[k].append(position)
    chosen: list[int] = []
    taken: dict[int, int] = defaultdict(int)
    while left and len(chosen) < num:
        k = min(left, key=lambda k: (taken[k], -weights[k - 1], k))
        chosen.append(left[k].pop())
        taken[k] += 1
        if not left[k]:
            del left[k]
    rest = [position for position, k in enumerate(bins) if k is None or not 0 < k < num_rollouts]
    return chosen + rest[: num - len(chosen)]
