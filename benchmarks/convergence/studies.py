"""What is compared: every method and every study. One change at a time from the paper's literal form, then combined."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from benchmarks.convergence.regimes import REGIMES
from benchmarks.convergence.runs import Method, Run, Schedule
from benchmarks.convergence.task import LEVELS
from daro_verl.advantage import weighting

LITERAL = {"weighting": "learned", "weight_lr": 0.05, "weight_init": 1.0, **weighting.LITERAL}
"""The paper's objective as written; what the paper leaves open (rate, start, clamp) as the package has it."""


def daro(name: str, **changes: object) -> Method:
    """Learned DARO with changes to its literal form."""
    return Method(name, {**LITERAL, **changes})


def fixed(name: str, method: str) -> Method:
    return Method(name, {"weighting": method})


def batch(name: str, **changes: object) -> Method:
    """The combined form with changes to it."""
    return daro(name, **{**COMBINED, **changes})


GRPO, DR_GRPO, LIPO = fixed("GRPO", "grpo"), fixed("Dr.GRPO", "dr_grpo"), fixed("LIPO", "lipo")
DAPO = Method("DAPO", {"weighting": "dapo"}, clip_high=0.28, dynamic_sampling=True)
BASELINES = (GRPO, DR_GRPO, LIPO, DAPO)
DARO = daro("DARO, paper's form")
DARO_INFORMED = daro("paper's form, first loss, average", weight_start="first_loss", loss_signal="average")
SHARED = {"bin_scale": "batch_share", "weight_scale": "mean_one"}
"""The weights choose between bins and leave the scale of the loss alone, as GRPO's token mean has it."""
INFORMED = {"weight_start": "first_loss", "loss_signal": "average"}
NARROW = {"weight_min": 0.1, "weight_max": 10.0}
COMBINED = {**SHARED, **INFORMED, **NARROW}
DARO_BATCH = daro("DARO, default", **COMBINED)
"""What ``weighting=learned`` is by default."""
CLOSED_FORM = fixed("1 / EMA(L)", "closed_form")
UNIFORM = fixed("uniform per bin", "uniform")
INVERSE_VARIANCE = fixed("1 / mu(1 - mu)", "inverse_variance")
UNIFORM_BATCH = Method("uniform, batch share", {"weighting": "uniform", **SHARED})
INVERSE_VARIANCE_BATCH = Method("1 / mu(1 - mu), batch share", {"weighting": "inverse_variance", **SHARED})
CLOSED_FORM_BATCH = Method("1 / EMA(L), batch share", {"weighting": "closed_form", **SHARED, **NARROW})
"""Controls of ``DARO_BATCH``: the same but for what the weights are. They tell what learning them adds."""


def with_dynamic_sampling(method: Method) -> Method:
    return Method(f"{method.name}, dynamic sampling", method.options, method.clip_high, dynamic_sampling=True)


@dataclass(frozen=True)
class Study:
    """A table of the report.

    Attributes:
        question: what it asks, in one line.
        methods: the rows; the first is what the others differ from.
        learning_rates: of the model. With several, each method is reported at its better one.
        drawn: the methods whose losses and weights are drawn.
        levels: names of the task's levels, easiest first.
    """

    name: str
    question: str
    methods: tuple[Method, ...]
    regimes: tuple[str, ...] = tuple(REGIMES)
    learning_rates: tuple[float, ...] = (1e-3,)
    seeds: tuple[int, ...] = tuple(range(5))
    schedule: Schedule = Schedule()
    drawn: tuple[Method, ...] = ()
    levels: tuple[str, ...] = tuple(f"{level} steps" for level in LEVELS)

    def run(self, method: Method, regime: str, seed: int, rate: float) -> Run:
        """One of its runs."""
        return Run(method, REGIMES[regime], seed, rate, self.schedule)

    def pairs_with_dynamic_sampling(self) -> list[tuple[Method, Method]]:
        """The methods that the study has both without and with dynamic sampling."""
        named = {method.name: method for method in self.methods}
        pairs = [(method, named.get(with_dynamic_sampling(method).name)) for method in self.methods]
        return [(plain, sampled) for plain, sampled in pairs if sampled]

    def runs(self) -> Iterator[Run]:
        """All of its runs, seed by seed, so that what is finished after an interruption is paired."""
        for seed, regime, method, rate in product(self.seeds, self.regimes, self.methods, self.learning_rates):
            yield self.run(method, regime, seed, rate)


SIGNAL = ("long_failures",)
"""For one change at a time: where failures are longer, the losses say something and a change can show."""
LONG = ("long_failures", "paper_proportions")

MAIN = Study(
    "main",
    "Which weighting learns fastest from the same models?",
    (GRPO, DR_GRPO, LIPO, DAPO, UNIFORM, INVERSE_VARIANCE, CLOSED_FORM, DARO, DARO_BATCH),
    learning_rates=(1e-3, 2e-3),
    drawn=(DARO, DARO_BATCH),
)

STUDIES: dict[str, Study] = {
    study.name: study
    for study in (
        MAIN,
        Study(
            "weight_lr",
            "How fast should the weights learn?",
            (DARO, *(daro(f"weight_lr {rate:g}", weight_lr=rate) for rate in (1e-3, 1e-2, 1e-1))),
            regimes=SIGNAL,
        ),
        Study(
            "weight_start",
            "Where should a weight begin: at 1, or at 1 / L of the first loss of its bin?",
            (DARO, daro("first loss", weight_start="first_loss")),
            regimes=SIGNAL,
        ),
        Study(
            "loss_signal",
            "What should move a weight: the mini-batch's loss, or its moving average?",
            (DARO, daro("average", loss_signal="average"), DARO_INFORMED),
            regimes=SIGNAL,
        ),
        Study(
            "weight_scale",
            "May the weights change the scale of the loss, or only choose between bins?",
            (DARO, daro("mean one", weight_scale="mean_one")),
            regimes=SIGNAL,
        ),
        Study(
            "clamp",
            "How far may the weights go?",
            (
                DARO,
                daro("0.1 .. 10", weight_min=0.1, weight_max=10.0),
                daro("0.001 .. 1000", weight_min=0.001, weight_max=1000.0),
            ),
            regimes=SIGNAL,
        ),
        Study(
            "together",
            "Which of these go together, and what does learning the weights add to fixed ones?",
            (
                DARO_BATCH,
                daro("batch share, mean one", **SHARED),
                daro("batch share, mean one, first loss, average", **SHARED, **INFORMED),
                batch("default, raw weights", weight_scale="raw"),
                batch("default, signal of the batch", loss_signal="batch"),
                batch("default, constant start", weight_start="constant"),
                UNIFORM_BATCH,
                INVERSE_VARIANCE_BATCH,
                CLOSED_FORM_BATCH,
                GRPO,
            ),
            regimes=LONG,
            learning_rates=(1e-3, 2e-3),
        ),
        Study(
            "confirmation",
            "Do the defaults, which seeds 0 to 4 chose, hold on seeds that chose nothing?",
            (GRPO, DR_GRPO, LIPO, DAPO, UNIFORM_BATCH, DARO, DARO_BATCH),
            learning_rates=(1e-3, 2e-3),
            seeds=tuple(range(5, 10)),
            drawn=(DARO, DARO_BATCH),
        ),
        Study(
            "refined",
            "How much does the combined form depend on its settings?",
            (
                DARO_BATCH,
                *(batch(f"weight_lr {rate:g}", weight_lr=rate) for rate in (0.01, 0.1)),
                batch("average over 50", loss_ema_decay=0.98),
                batch("clamp 0.3 .. 3", weight_min=0.3, weight_max=3.0),
            ),
            regimes=LONG,
            learning_rates=(2e-3,),
        ),
        Study(
            "dynamic_sampling",
            "What does dynamic sampling bring, per round and at equal generated responses?",
            tuple(
                form for method in (GRPO, DR_GRPO, DARO, DARO_BATCH) for form in (method, with_dynamic_sampling(method))
            ),
            regimes=SIGNAL,
        ),
    )
}


def quick(study: Study) -> Study:
    """A short form of a study that shows that the harness works and resolves nothing: 2 seeds, 30 rounds, one rate."""
    schedule = Schedule(num_rounds=30)
    return Study(study.name, study.question, study.methods, study.regimes, study.learning_rates[:1], (0, 1), schedule)


def unique_runs(studies: Sequence[Study]) -> list[Run]:
    """The runs of several studies, seed by seed, each once: studies share what has the same settings."""
    runs = {str(run.settings()): run for study in studies for run in study.runs()}
    return sorted(runs.values(), key=lambda run: run.seed)
