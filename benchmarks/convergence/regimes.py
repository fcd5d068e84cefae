"""The regimes. Each varies one proportion, for the given reason. docs/evidence.md says how they were chosen.

Every regime has headroom. At the start the model answers some 15 to 30 % of the held-out problems, and most prompts
have zero to three right responses of eight. After the budget, GRPO is between 0.4 and 0.8.

| regime | differs from ``gap_3x`` in | because |
|---|---|---|
| ``gap_3x`` | | wrong answers three times as long; Qwen2.5-Math-7B: 1.5 times on Minerva to 11 on MATH's level 1 |
| ``gap_1.5x`` | wrong answers one and a half times as long | as on Minerva and MATH's levels 4 and 5 |
| ``no_gap`` | right and wrong answers equally long | DARO's signal is zero there but for noise |
| ``gap_of_easy`` | 5 times as long on the easiest level, 1.5 on the hardest | as on MATH: 11, 4.2, 3.9, 1.6, 1.4 |
| ``many_prompts`` | 64 prompts a mini-batch, not 16 | a bin has many prompts: less noise, larger jobs |
| ``hopeless`` | three of five prompts have no right response of eight | as AIME for a small model |
| ``passes`` | 256 problems, again and again | as jobs do: only of a prompt that comes again is something known |
| ``hopeless_passes`` | both | most of what uniform passes generate teaches nothing |

A budget is 60 rounds, or less if the model learns faster: 30 in ``no_gap``, 40 in ``many_prompts``. 60 rounds of
32 prompts are 7.5 uniform passes in ``passes`` and ``hopeless_passes``; the other regimes have
fresh problems in every round.

The figures of Qwen2.5-Math-7B are from NovaSky-AI/SkyThought's published greedy outputs; by level they are medians.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Writing:
    """How the writers of the supervised solutions err and doubt.

    Attributes:
        doubt_at_end: probability of doubting before the end, right or wrong.
        go_on_at_end: probability of one more doubt there, and one more: a mean of ``1 / (1 - go_on_at_end)``.
        doubt_when_lost: probability of doubting after each digit from the first wrong one on. At 0 there is no gap in
            length between right and wrong.
        go_on_when_lost: of one more doubt there.
        easy_doubt_more: ``doubt_when_lost`` is multiplied by (fewest steps / steps of the problem) to this power.
        error_rate: mean over facts of how often they are answered wrongly.
        error_spread: in (0, 1): the error rates follow a Beta distribution with this intraclass correlation. At 0 all
            facts are alike, near 1 each is always right or always wrong.
    """

    doubt_at_end: float
    go_on_at_end: float
    doubt_when_lost: float
    go_on_when_lost: float
    easy_doubt_more: float = 0.0
    error_rate: float = 0.27
    error_spread: float = 0.4


@dataclass(frozen=True)
class Regime:
    """One setting of the comparison.

    Attributes:
        num_prompts: prompts per round, before dynamic sampling.
        num_rounds: so many that GRPO ends between 0.4 and 0.8.
        group_size: ``G``, responses per prompt.
        num_mini_batches: optimizer steps per round.
        writing: of the warm start's data.
        num_problems: of the training set, which is drawn once per seed; None: fresh problems in every round.
    """

    name: str
    num_prompts: int
    writing: Writing
    num_rounds: int = 60
    group_size: int = 8
    num_mini_batches: int = 2
    num_problems: int | None = None


GAP_3X = Writing(doubt_at_end=0.05, go_on_at_end=0.5, doubt_when_lost=0.6, go_on_when_lost=0.88)
HOPELESS = replace(GAP_3X, error_rate=0.32, error_spread=0.6)
NO_GAP = Writing(doubt_at_end=0.5, go_on_at_end=0.75, doubt_when_lost=0.0, go_on_when_lost=0.0)
GAP_OF_EASY = replace(GAP_3X, doubt_when_lost=0.95, go_on_when_lost=0.9, easy_doubt_more=2.0)

REGIMES = {
    regime.name: regime
    for regime in (
        Regime("gap_3x", 32, GAP_3X),
        Regime("gap_1.5x", 32, replace(GAP_3X, doubt_when_lost=0.3, go_on_when_lost=0.7)),
        Regime("no_gap", 32, NO_GAP, 30),
        Regime("gap_of_easy", 32, GAP_OF_EASY),
        Regime("many_prompts", 128, GAP_3X, 40),
        Regime("hopeless", 32, HOPELESS),
        Regime("passes", 32, GAP_3X, num_problems=256),
        Regime("hopeless_passes", 32, HOPELESS, num_problems=256),
    )
}
ENDLESS, FINITE = (
    tuple(name for name, regime in REGIMES.items() if (regime.num_problems is None) == endless)
    for endless in (True, False)
)
"""Names of the regimes with fresh problems in every round, and of those with a training set."""
