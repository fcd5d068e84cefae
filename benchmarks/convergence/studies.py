"""The studies, in their order. A pilot finds the number of seeds, selection and tuning choose, confirmation decides.

Studies that choose something use their own seeds, which confirmation never sees.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from benchmarks.convergence.methods import (
    BASELINES,
    BY_ROOT,
    DAPO,
    DARO,
    EASY,
    FOCAL,
    GRPO,
    MAXRL,
    PAPER,
    VARIANTS,
    choosing,
    with_dynamic_sampling,
)
from benchmarks.convergence.regimes import ENDLESS, FINITE, REGIMES
from benchmarks.convergence.runs import Method, Run, Schedule
from benchmarks.convergence.task import LEVELS
from daro_verl.prompts.selection import BAND, INFORMATIVE


@dataclass(frozen=True)
class Study:
    """A table of the report.

    Attributes:
        question: what it asks, in one line.
        methods: the rows; the first is what the others differ from.
        learning_rates: of the model. With several, each method is reported at its better one.
        tuned: learning rate of a method by its name, which replaces them.
        drawn: the methods whose losses and weights are drawn.
        schedule: of all runs; else each has the rounds of its regime, and ten evaluations after the first.
        sampled_schedule: of those with dynamic sampling, whose rounds generate up to three times as much.
        levels: names of the task's levels, easiest first.
    """

    name: str
    question: str
    methods: tuple[Method, ...]
    regimes: tuple[str, ...] = ENDLESS
    learning_rates: tuple[float, ...] = (1e-3,)
    seeds: tuple[int, ...] = tuple(range(5))
    schedule: Schedule | None = None
    drawn: tuple[Method, ...] = ()
    levels: tuple[str, ...] = tuple(f"{level} steps" for level in LEVELS)
    tuned: Mapping[str, float] = field(default_factory=dict)
    sampled_schedule: Schedule | None = None

    def run(self, method: Method, regime: str, seed: int, rate: float) -> Run:
        """One of its runs."""
        rounds = REGIMES[regime].num_rounds
        schedule = (method.dynamic_sampling and self.sampled_schedule) or self.schedule
        return Run(method, REGIMES[regime], seed, rate, schedule or Schedule(rounds, rounds // 10))

    def num_rounds(self) -> list[int]:
        """Of its runs, each once."""
        return sorted({run.schedule.num_rounds for run in self.runs()})

    def rates_of(self, method: Method) -> tuple[float, ...]:
        """The learning rates that the method runs at."""
        return (self.tuned[method.name],) if method.name in self.tuned else self.learning_rates

    def pairs_with_dynamic_sampling(self) -> list[tuple[Method, Method]]:
        """The methods that the study has both without and with dynamic sampling."""
        named = {method.name: method for method in self.methods}
        pairs = [(method, named.get(with_dynamic_sampling(method).name)) for method in self.methods]
        return [(plain, sampled) for plain, sampled in pairs if sampled]

    def runs(self) -> Iterator[Run]:
        """All of its runs, seed by seed, so that what is finished after an interruption is paired."""
        for seed, regime, method in product(self.seeds, self.regimes, self.methods):
            yield from (self.run(method, regime, seed, rate) for rate in self.rates_of(method))


COMPARED = (*BASELINES[:3], FOCAL, MAXRL, EASY, PAPER, DARO, BY_ROOT)
CHOOSING_SEEDS, CONFIRMING_SEEDS = range(100, 200), range(20)
VARIED = ("gap_3x", "no_gap", "gap_of_easy")
"""Regimes for choices: failures longer, not longer, and longer where it is easy."""

PILOT = Study(
    "pilot",
    "Can the harness see an effect, and how many seeds does it take?",
    (GRPO, FOCAL, MAXRL, EASY),
    seeds=tuple(CHOOSING_SEEDS[:6]),
)
SELECTION = Study(
    "selection",
    "Which learned form is worth confirming?",
    (GRPO, FOCAL, DARO, *VARIANTS),
    regimes=VARIED,
    seeds=tuple(CHOOSING_SEEDS[:8]),
)
TUNING = Study(
    "tuning",
    "Which learning rate is each method's own?",
    COMPARED,
    regimes=VARIED,
    learning_rates=(5e-4, 1e-3, 2e-3),
    seeds=tuple(CHOOSING_SEEDS[8:12]),
)
CONFIRMATION = Study(
    "confirmation",
    "Which method learns most, on twenty paired seeds?",
    COMPARED,
    seeds=tuple(CONFIRMING_SEEDS),
    drawn=(PAPER, DARO),
)
DYNAMIC_SAMPLING = Study(
    "dynamic_sampling",
    "What does dynamic sampling bring, per round and at equal generated responses?",
    (GRPO, DAPO, *(form for method in (FOCAL, DARO) for form in (method, with_dynamic_sampling(method)))),
    regimes=("hopeless",),
    seeds=tuple(CONFIRMING_SEEDS),
)
PROMPTS = Study(
    "prompts",
    "Does it pay to choose prompts by what is known of them?",
    tuple(
        form
        for method in (GRPO, DARO)
        for form in (
            method,
            with_dynamic_sampling(method),
            *(choosing(method, prompts) for prompts in (INFORMATIVE, BAND)),
        )
    ),
    regimes=FINITE,
    seeds=tuple(CONFIRMING_SEEDS),
    sampled_schedule=Schedule(30, 3),
)
STUDIES = {study.name: study for study in (PILOT, TUNING, CONFIRMATION, SELECTION, DYNAMIC_SAMPLING, PROMPTS)}


def quick(study: Study) -> Study:
    """A short form, which shows that the harness works and resolves nothing: 2 seeds, 2 regimes, 8 rounds."""
    short = {"learning_rates": study.learning_rates[:1], "seeds": study.seeds[:2], "regimes": study.regimes[:2]}
    return replace(study, **short, schedule=Schedule(8, 4, 150), tuned={}, sampled_schedule=None)


def unique_runs(studies: Sequence[Study]) -> list[Run]:
    """The runs of several studies, seed by seed, each once: studies share what has the same settings."""
    runs = {str(run.settings()): run for study in studies for run in study.runs()}
    return sorted(runs.values(), key=lambda run: run.seed)
