"""Read the results of a study from disk, side by side."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.convergence.measures import Estimate, auc, auc_up_to, first_reached
from benchmarks.convergence.records import load
from benchmarks.convergence.runs import Method
from benchmarks.convergence.studies import Study
from benchmarks.convergence.update import PER_BIN

Arrays = dict[str, np.ndarray]


class Results:
    """What is finished of a study. A method's *row* is its runs at its better learning rate, by seed."""

    def __init__(self, study: Study, folder: Path) -> None:
        self.study, self.folder = study, folder
        self.num_runs, self.commits, self.seconds, self.processor_seconds = 0, set(), {}, []
        self._by_rate: dict[tuple[str, str], dict[float, dict[int, Arrays]]] = {}
        for regime in study.regimes:
            self.seconds[regime] = []
            for method in study.methods:
                loaded = {rate: self._load(method, regime, rate) for rate in study.rates_of(method)}
                self._by_rate[method.name, regime] = loaded

    def _load(self, method: Method, regime: str, rate: float) -> dict[int, Arrays]:
        found = {}
        for seed in self.study.seeds:
            path = self.study.run(method, regime, seed, rate).file(self.folder)
            if path.exists():
                found[seed], about = load(path)
                self.num_runs += 1
                self.commits.add(about["commit"])
                self.seconds[regime].append(about["seconds"])
                self.processor_seconds.append(about.get("processor_seconds"))
        return found

    def num_seeds(self) -> int:
        """Seeds that are finished for every method in every regime."""
        rows = [self.row(method, regime).keys() for regime in self.study.regimes for method in self.study.methods]
        return len(set.intersection(*map(set, rows)))

    def minutes_on_two_cores(self) -> float | None:
        """By the processor's time of all runs, one thread each; None where a run did not note it."""
        if not self.processor_seconds or None in self.processor_seconds:
            return None
        return sum(self.processor_seconds) / 2 / 60

    def row(self, method: Method, regime: str, rate: float | None = None) -> dict[int, Arrays]:
        """The method's runs by seed, at ``rate`` or at its better learning rate."""
        return self._by_rate[method.name, regime][rate or self.learning_rate(method, regime)]

    def learning_rate(self, method: Method, regime: str) -> float:
        """The better one: by mean AUC over the seeds, among those with the most seeds finished."""
        runs = self._by_rate[method.name, regime]
        return max(runs, key=lambda rate: (len(runs[rate]), _mean_auc(runs[rate])))

    def estimate(
        self, method: Method, regime: str, measure: Callable[[Arrays], float], rate: float | None = None
    ) -> Estimate | None:
        """Mean of ``measure(arrays)`` over seeds; None where nothing was run."""
        row = self.row(method, regime, rate)
        return Estimate.of([measure(arrays) for arrays in row.values()]) if row else None

    def difference(
        self,
        method: Method,
        other: Method,
        regime: str,
        measure: "Callable[[Arrays, Arrays], float] | None" = None,
        rate: float | None = None,
    ) -> Estimate | None:
        """Mean over the seeds of both of ``measure(method's, other's)``; None where there is no such seed.

        Without a measure it is the difference of AUC. With ``rate`` both are at that learning rate.
        """
        ours, theirs = self.row(method, regime, rate), self.row(other, regime, rate)
        pairs = [(ours[seed], theirs[seed]) for seed in sorted(ours.keys() & theirs.keys())]
        return Estimate.of([(measure or auc_difference)(*pair) for pair in pairs]) if pairs else None

    def reached(self, method: Method, baseline: Method, regime: str, places: str) -> list[float]:
        """Per seed, after how many rounds or generated responses the method has the baseline's final pass rate."""
        ours, theirs = self.row(method, regime), self.row(baseline, regime)
        return [
            first_reached(ours[seed][f"eval/{places}"], ours[seed]["eval/pass_rate"], final(theirs[seed]))
            for seed in sorted(ours.keys() & theirs.keys())
        ]

    @cached_property
    def starts(self) -> dict[str, list[Arrays]]:
        """Per regime, one run of each seed: all methods of a seed have the same first evaluation."""
        starts = {}
        for regime in self.study.regimes:
            by_seed = {seed: run for method in self.study.methods for seed, run in self.row(method, regime).items()}
            starts[regime] = [by_seed[seed] for seed in sorted(by_seed)]
        return starts


def of_steps(arrays: Arrays, name: str) -> np.ndarray:
    """A figure of the optimizer steps; one row of NaN where the run took none because no prompt taught anything."""
    num_bins = arrays["eval/prompts_in_bin"].shape[1] - 2
    none = np.full((1, num_bins) if name in PER_BIN else 1, np.nan)
    return arrays.get(f"step/{name}", none)


def auc_of(arrays: Arrays) -> float:
    """The primary measure."""
    return auc(arrays["eval/pass_rate"])


def final(arrays: Arrays) -> float:
    """Pass rate at the end: mean of the last two evaluations."""
    return float(arrays["eval/pass_rate"][-2:].mean())


def _mean_auc(runs: dict[int, Arrays]) -> float:
    return float(np.mean([auc_of(arrays) for arrays in runs.values()])) if runs else -np.inf


def auc_difference(ours: Arrays, theirs: Arrays) -> float:
    """Per round, which is per generated response where no method samples dynamically."""
    return auc_of(ours) - auc_of(theirs)


def at_equal_responses(ours: Arrays, theirs: Arrays) -> float:
    """The difference of AUC over generated responses, up to the smaller of the two totals."""
    return at_equal(ours, theirs, "eval/num_generated")


def at_equal_tokens(ours: Arrays, theirs: Arrays) -> float:
    """The difference of AUC over generated tokens, up to the smaller of the two totals."""
    return at_equal(ours, theirs, "eval/num_tokens")


def at_equal(ours: Arrays, theirs: Arrays, unit: str, limit: float | None = None) -> float:
    """Both between the evaluations of the run that has fewer of them below ``limit``, by default the smaller total.

    The curves are concave, so straight lines between sparse evaluations would be unfair to the run that generates more.
    """
    generated = [run[unit] for run in (ours, theirs)]
    limit = limit or min(one[-1] for one in generated)
    places = min((one[one <= limit] for one in generated), key=len)
    a, b = (auc_up_to(run[unit], run["eval/pass_rate"], limit, places) for run in (ours, theirs))
    return a - b
