"""Twelve scales of rewards, each with a batch of prompts with four responses. Their right answers are known.

``docs/rewards.md`` shows them; ``test_reward_range.py`` says what becomes of each.
"""

from dataclasses import dataclass, field

NAN = float("nan")


@dataclass(frozen=True)
class Scale:
    """Rewards of three prompts (one right of four, three right of four, none), and what is expected of them."""

    name: str
    rewards: list[list[float]]
    bins: list[int]
    """``k`` of each prompt, of ``G = 4``."""
    options: dict = field(default_factory=dict)
    earlier: list[float] = field(default_factory=list)
    """Rewards of a batch before."""
    untaught: bool = False
    """Whether no prompt teaches anything."""


def two_values(failure: float, success: float) -> list[list[float]]:
    f, s = failure, success
    return [[f, s, f, f], [s, s, f, s], [f, f, f, f]]


SCALES = [
    Scale("{0, 1}", two_values(0, 1), [1, 3, 0]),
    Scale("{-1, 1}", two_values(-1, 1), [1, 3, 0]),
    Scale("{0, 0.1}", two_values(0, 0.1), [1, 3, 0]),
    Scale("{10, 100}", two_values(10, 100), [1, 3, 0]),
    Scale("{0, 1e-9}", two_values(0, 1e-9), [1, 3, 0]),
    Scale("{-1e9, 1e9}", two_values(-1e9, 1e9), [1, 3, 0]),
    # 0.1 for the format: (0.1 + 1.1 + 0.1 + 0) / 4 / 1.1 = 0.295, k = 1;
    # (1.1 + 1.1 + 0.1 + 1.1) / 4 / 1.1 = 0.77, k = 3
    Scale("format 0.1, right 1", [[0.1, 1.1, 0.1, 0], [1.1, 1.1, 0.1, 1.1], [0.1, 0.1, 0.1, 0.1]], [1, 3, 0]),
    # nobody was right in the batch before: {0, 0.1} was the range
    Scale(
        "the same, right for the first time", [[0.1, 1.1, 0.1, 0], [1.1] * 4, [0.1, 0, 0, 0]], [1, 4, 1], {}, [0, 0.1]
    ),
    # {-1, 1} minus up to 1 for length; with a threshold success is what it was: 1 of 4, 3 of 4, 0 of 4
    Scale(
        "overlong penalty, threshold 0",
        [[-1, 1, -2, -1.5], [0.5, 1, -1, 1], [-1, -1, -1, -1]],
        [1, 3, 0],
        {"success_threshold": 0.0},
    ),
    # scores of a reward model in a range that is given: (-2 + 1 - 1 + 0) / 4 = -0.5, (-0.5 + 3) / 6 = 0.417, k = 2;
    # (2 + 2.5 + 1.5 + 1) / 4 = 1.75, 4.75 / 6 = 0.79, k = 3;
    # (-3.5 - 2.5 - 3.2 - 2.8) / 4 = -3 is 0, but they differ: k = 1
    Scale(
        "reward model, range [-3, 3]",
        [[-2, 1, -1, 0], [2, 2.5, 1.5, 1], [-3.5, -2.5, -3.2, -2.8]],
        [2, 3, 1],
        {"reward_range": (-3.0, 3.0)},
    ),
    # of three that count one is right: k = round(4 / 3) = 1; of two both: nothing to learn; none at all
    Scale("{0, 1} and NaN", [[0, 1, NAN, 0], [1, NAN, 1, NAN], [NAN] * 4], [1, 4, 0]),
    Scale("all the same", [[5.0] * 4] * 3, [4, 4, 4], untaught=True),
]
