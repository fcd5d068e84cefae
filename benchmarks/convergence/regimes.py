"""The three regimes: how much longer than right answers the wrong ones are, and how many prompts a bin has."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Writing:
    """How the writers of the supervised solutions err and doubt.

    Attributes:
        doubt_at_end: probability of doubting before the end, right or wrong.
        go_on_at_end: probability of one more doubt there, and one more: a mean of ``1 / (1 - go_on_at_end)``.
        doubt_when_lost: probability of doubting after each digit from the first wrong one on. At 0 there is no gap in
            length between right and wrong.
        go_on_when_lost: of one more doubt there.
        error_rate: mean over facts of how often they are answered wrongly.
        error_spread: in (0, 1): the error rates follow a Beta distribution with this intraclass correlation. At 0 all
            facts are alike, near 1 each is always right or always wrong.
    """

    doubt_at_end: float
    go_on_at_end: float
    doubt_when_lost: float
    go_on_when_lost: float
    error_rate: float = 0.25
    error_spread: float = 0.6


@dataclass(frozen=True)
class Regime:
    """One setting of the comparison.

    Attributes:
        num_prompts: prompts per round, before dynamic sampling.
        group_size: ``G``, responses per prompt.
        num_mini_batches: optimizer steps per round.
        writing: of the warm start's data.
    """

    name: str
    num_prompts: int
    writing: Writing
    group_size: int = 8
    num_mini_batches: int = 2


NO_GAP = Writing(doubt_at_end=0.5, go_on_at_end=0.75, doubt_when_lost=0.0, go_on_when_lost=0.0)
LONG_FAILURES = Writing(doubt_at_end=0.05, go_on_at_end=0.5, doubt_when_lost=0.9, go_on_when_lost=0.93)

REGIMES = {
    regime.name: regime
    for regime in (
        Regime("no_gap", 64, NO_GAP),
        Regime("long_failures", 64, LONG_FAILURES),
        Regime("paper_proportions", 128, LONG_FAILURES),
    )
}
