"""Figures of a run that goes through a finite training set: at equal tokens, pass by pass, and of the predictions."""

from collections.abc import Callable

import numpy as np

from benchmarks.convergence.measures import Estimate, auc_up_to
from benchmarks.convergence.report.results import Arrays, Results, at_equal
from benchmarks.convergence.runs import Method
from daro_verl.prompts.selection import UNIFORM

TOKENS = "eval/num_tokens"
Measure = Callable[[Arrays, float], float]
"""Of a run, up to as many generated tokens as every run of its seed has."""


def area(run: Arrays, limit: float) -> float:
    """Mean pass rate over generated tokens."""
    return auc_up_to(run[TOKENS], run["eval/pass_rate"], limit)


def end(run: Arrays, limit: float) -> float:
    """Mean pass rate over the last tenth of the tokens."""
    return float(np.interp(np.linspace(0.9, 1, 11) * limit, run[TOKENS], run["eval/pass_rate"]).mean())


def is_informative(run: Arrays) -> np.ndarray:
    """[groups] bool: both right and wrong responses; of all groups that were generated."""
    group_size = run["eval/prompts_in_bin"].shape[1] - 1
    return (run["group/successes"] > 0) & (run["group/successes"] < group_size)


def share_in_pass(number: int) -> Measure:
    """Share of informative groups in a pass, from 0; NaN where the run has no such pass."""
    return lambda run, limit: _mean(is_informative(run)[run["group/pass"] == number])


def share(run: Arrays, limit: float) -> float:
    """Share of informative groups in all rounds."""
    return _mean(is_informative(run)[run["group/round"] < last_round(run, limit)])


def last_round(run: Arrays, limit: float) -> float:
    return float(np.interp(limit, run[TOKENS], run["eval/round"]))


def passes(run: Arrays, limit: float) -> float:
    """Passes through the training set, those that are not finished included."""
    return float(run["group/pass"][run["group/round"] < last_round(run, limit)].max() + 1)


def left_out(run: Arrays, limit: float) -> float:
    """Prompts left out, in thousands."""
    return float(run["round/left_out"][: int(np.ceil(last_round(run, limit)))][-1]) / 1000


MEASURES: dict[str, Measure] = {
    "AUC over tokens": area,
    "final": end,
    "informative, first pass": share_in_pass(0),
    "informative, second pass": share_in_pass(1),
}
"""What is compared."""
FURTHER: dict[str, Measure] = {"informative, all": share, "passes": passes, "thousand left out": left_out}


def limits(results: Results, regime: str) -> dict[int, float]:
    """By seed, the smallest total of generated tokens; of seeds that are finished for all methods."""
    rows = [results.row(method, regime) for method in results.study.methods]
    seeds = sorted(set.intersection(*(set(row) for row in rows)))
    return {seed: float(min(row[seed][TOKENS][-1] for row in rows)) for seed in seeds}


def value(results: Results, method: Method, regime: str, measure: Measure) -> Estimate | None:
    """Mean of a measure over the seeds."""
    row = results.row(method, regime)
    return _estimate([measure(row[seed], limit) for seed, limit in limits(results, regime).items()])


def difference(results: Results, method: Method, regime: str, measure: Measure) -> Estimate | None:
    """The same of paired differences to uniform passes with the same weighting.

    Areas are taken between the same places, those of the run that was evaluated less often (``at_equal``).
    """
    ours, theirs = results.row(method, regime), results.row(uniform_of(results, method), regime)
    pairs = [(ours[seed], theirs[seed], limit) for seed, limit in limits(results, regime).items()]
    if measure is area:
        return _estimate([at_equal(a, b, TOKENS, limit) for a, b, limit in pairs])
    return _estimate([measure(a, limit) - measure(b, limit) for a, b, limit in pairs])


def uniform_of(results: Results, method: Method) -> Method:
    """Uniform passes with the weighting of ``method``."""
    return next(one for one in results.study.methods if one.options == method.options and is_uniform(one))


def is_uniform(method: Method) -> bool:
    return method.prompts == UNIFORM and not method.dynamic_sampling


def choosing_methods(results: Results) -> list[Method]:
    """The methods that are compared with uniform passes."""
    return [method for method in results.study.methods if not is_uniform(method)]


def num_comparisons(results: Results) -> int:
    """Of one measure, in the regimes that have been run."""
    regimes = [regime for regime in results.study.regimes if limits(results, regime)]
    return len(regimes) * len(choosing_methods(results))


def predictions(run: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """Of the groups whose prompt had been seen before: predicted chance to be informative, and whether they were."""
    first = np.unique(run["group/place"], return_index=True)[1]
    seen = np.delete(np.arange(len(run["group/place"])), first)
    return run["group/predicted"][seen], is_informative(run)[seen]


def brier(predicted: np.ndarray, happened: np.ndarray) -> float:
    """Mean squared error of predicted probabilities."""
    return _mean((predicted - happened) ** 2)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _estimate(values: list[float]) -> Estimate | None:
    """None where nothing was run, or a run has no such pass."""
    return Estimate.of(values) if values and np.isfinite(values).all() else None
