"""Each method's own learning rate, from the runs of a tuning study."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.convergence.report.results import Results, auc_of
from benchmarks.convergence.runs import Method
from benchmarks.convergence.studies import Study


def auc_by_rate(results: Results, method: Method) -> Mapping[float, float]:
    """Mean AUC over the study's regimes at each learning rate; of those where all of its runs are finished."""
    study, means = results.study, {}
    for rate in study.learning_rates:
        runs = [run for regime in study.regimes for run in results.row(method, regime, rate).values()]
        if len(runs) == len(study.regimes) * len(study.seeds):
            means[rate] = float(np.mean([auc_of(run) for run in runs]))
    return means


def best_rate(results: Results, method: Method) -> float | None:
    """The learning rate with the best mean; None unless the study is finished for all of them."""
    means = auc_by_rate(results, method)
    return max(means, key=means.__getitem__) if len(means) == len(results.study.learning_rates) else None


def tuned(study: Study, tuning: Study, folder: Path) -> Study:
    """The study with each method at the learning rate that ``tuning`` found best.

    Raises:
        ValueError: ``tuning`` has not finished for a method.
    """
    results = Results(tuning, folder)
    rates = {method.name: best_rate(results, method) for method in tuning.methods}
    if missing := [method.name for method in study.methods if rates.get(method.name) is None]:
        raise ValueError(f"No learning rate of {', '.join(missing)}: run --study {tuning.name} first.")
    return replace(study, tuned={name: rate for name, rate in rates.items() if rate is not None})
