"""The tables of docs/evidence.md: every regime side by side, and differences to GRPO per response and per token."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.convergence.report.cells import NOT_RUN, show, starred, table
from benchmarks.convergence.report.results import Arrays, Results, at_equal_tokens, auc_of, final
from benchmarks.convergence.runs import Method

NUM_HARD = 2  # levels
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"


def evidence(results: Results) -> str:
    """All tables, in Markdown."""
    parts = [first_tables(results)]
    for name, measure in list(MEASURES.items())[1:]:
        parts += [f"**{name}**, the same differences.", differences(results, measure)]
    parts += ["**Runs that ended below their start**, of all.", collapses(results)]
    return "\n\n".join(parts) + "\n"


def first_tables(results: Results) -> str:
    """What ``docs/evidence.md`` shows: the regimes, and the differences per response and per token."""
    first, num = results.study.methods[0].name, _num_comparisons(results)
    tokens, measure = next(iter(MEASURES.items()))
    return "\n\n".join(
        (
            regimes(results),
            f"**Mean pass rate over training, difference to {first}.** Mean over {results.num_seeds()} paired seeds ± "
            f"standard error. \\* Student's interval, corrected for all {num} comparisons, leaves out zero.",
            differences(results),
            f"**{tokens}**, up to the smaller of the two totals: the same differences.",
            differences(results, measure),
        )
    )


def fill(page: Path, results: Results) -> None:
    """Put :func:`first_tables` between the marks of a page."""
    before, rest = page.read_text().split(BEGIN)
    page.write_text(f"{before}{BEGIN}\n\n{first_tables(results)}\n\n{END}{rest.split(END)[1]}")


def regimes(results: Results) -> str:
    """What each regime is like at the start, and where the first method ends."""
    first = results.study.methods[0]
    header = ["regime", "pass rate at the start", "prompts with no right response", "wrong / right length in a level"]
    rows = []
    for regime in results.study.regimes:
        starts = results.starts[regime]
        if not starts:
            rows.append([regime, *[NOT_RUN] * 5])
            continue
        unsolved = np.mean([run["eval/prompts_in_bin"][0, 0] / run["eval/prompts_in_bin"][0].sum() for run in starts])
        start, gap = (np.mean([run[f"eval/{name}"][0] for run in starts]) for name in ("pass_rate", "gap_in_level"))
        ends = [final(run) for run in results.row(first, regime).values()]
        cells = [regime, f"{start:.2f}", f"{unsolved:.0%}", f"{gap:.1f}"]
        cells += [f"{np.mean(ends):.2f} ({min(ends):.2f} to {max(ends):.2f})"] if ends else [NOT_RUN]
        rows.append([*cells, show(results.estimate(first, regime, auc_of))])
    return table([*header, f"{first.name} at the end (its seeds)", f"{first.name} over training"], rows)


def differences(results: Results, measure: Callable[[Arrays, Arrays], float] | None = None) -> str:
    """Methods by regimes."""
    first, *others = results.study.methods
    num = _num_comparisons(results)
    rows = []
    for method in others:
        estimates = [results.difference(method, first, regime, measure) for regime in results.study.regimes]
        rate = ", ".join(f"{rate:g}" for rate in results.study.rates_of(method))
        rows.append([method.name, rate, *(starred(estimate, num) for estimate in estimates)])
    return table(["method", "lr", *results.study.regimes], rows)


def collapses(results: Results) -> str:
    """Methods by regimes: runs whose final pass rate is below that of the start."""
    rows = []
    for method in results.study.methods:
        counts = [_collapsed(results, method, regime) for regime in results.study.regimes]
        rows.append([method.name, *counts])
    return table(["method", *results.study.regimes], rows)


def _collapsed(results: Results, method: Method, regime: str) -> str:
    runs = list(results.row(method, regime).values())
    return f"{sum(final(run) < run['eval/pass_rate'][0] for run in runs)} of {len(runs)}" if runs else NOT_RUN


def _num_comparisons(results: Results) -> int:
    return (len(results.study.methods) - 1) * len(results.study.regimes)


def _mean_of(name: str, places: slice = slice(None)) -> Callable[[Arrays, Arrays], float]:
    """Difference of the mean over the evaluations, or those at ``places``, of a figure."""
    return lambda ours, theirs: float(ours[f"eval/{name}"][places].mean() - theirs[f"eval/{name}"][places].mean())


def _hard(ours: Arrays, theirs: Arrays) -> float:
    a, b = (run["eval/pass_rate_of_level"][:, -NUM_HARD:].mean() for run in (ours, theirs))
    return float(a - b)


LAST = slice(-1, None)
MEASURES: dict[str, Callable[[Arrays, Arrays], float]] = {
    "Mean pass rate over generated tokens": at_equal_tokens,
    "Pass@8 over training": _mean_of("solved_once"),
    f"Pass rate of the {NUM_HARD} hardest levels over training": _hard,
    "Entropy at the end, nats per token": _mean_of("entropy", LAST),
    "Distinct responses of a problem at the end, share": _mean_of("distinct", LAST),
}
