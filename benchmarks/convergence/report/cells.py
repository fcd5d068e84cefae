"""Cells of the tables, and tables of cells, in Markdown."""

from collections.abc import Iterable

import numpy as np

from benchmarks.convergence.measures import Estimate

NOT_RUN = "not run"


def show(estimate: Estimate | None, signed: bool = False) -> str:
    return NOT_RUN if estimate is None else estimate.show(signed)


def starred(estimate: Estimate | None, num_comparisons: int) -> str:
    """A difference, with a star where its interval (Bonferroni) leaves out zero."""
    if estimate is None or estimate.num_seeds == 1:
        return show(estimate, signed=True)
    low, high = estimate.interval(num_comparisons)
    return estimate.show(signed=True) + (" \\*" if low > 0 or high < 0 else "")


def show_short(estimate: Estimate | None) -> str:
    """Three digits, whatever the size."""
    if estimate is None:
        return NOT_RUN
    return f"{estimate.mean:.3g}" + (f" ± {estimate.error:.2g}" if estimate.num_seeds > 1 else "")


def show_reached(places: list[float], unit: float) -> str:
    """Median over all seeds, one that never reached the target being later than any, and how many did."""
    if not places:
        return NOT_RUN
    middle, num_reached = np.median(places) / unit, int(np.isfinite(places).sum())
    median = f"{middle:.0f}" if np.isfinite(middle) else "never"
    return median if num_reached == len(places) else f"{median} ({num_reached} of {len(places)} seeds)"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    header = list(header)
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
