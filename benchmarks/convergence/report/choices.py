"""Tables of the studies that choose the number of seeds and each method's learning rate."""

from benchmarks.convergence.report.cells import NOT_RUN, table
from benchmarks.convergence.report.results import Results
from benchmarks.convergence.tuning import auc_by_rate, best_rate

RESOLVED = 0.005


def power(results: Results) -> str:
    """From the pilot's paired differences: seeds at which ``RESOLVED`` is two standard errors."""
    first, *others = results.study.methods
    rows = []
    for regime in results.study.regimes:
        estimates = [results.difference(method, first, regime) for method in others]
        cells = [
            NOT_RUN if one is None else f"{one.show(signed=True)}, {one.seeds_to_resolve(RESOLVED)}"
            for one in estimates
        ]
        rows.append([regime, *cells])
    return table(["regime", *(f"{method.name} - {first.name}, seeds to resolve {RESOLVED}" for method in others)], rows)


def learning_rates(results: Results) -> str:
    """Mean AUC over the regimes at each learning rate, and the one that is taken."""
    rates, rows = results.study.learning_rates, []
    for method in results.study.methods:
        means, best = auc_by_rate(results, method), best_rate(results, method)
        cells = [f"{means[rate]:.3f}" if rate in means else NOT_RUN for rate in rates]
        edge = " (at the edge)" if best in (rates[0], rates[-1]) else ""
        rows.append([method.name, *cells, NOT_RUN if best is None else f"{best:g}{edge}"])
    return table(["method", *(f"lr {rate:g}" for rate in rates), "taken"], rows)
