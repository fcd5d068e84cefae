"""Cells of the tables, and tables of cells, in Markdown."""

from collections.abc import Iterable

import numpy as np

from benchmarks.convergence.measures import Estimate

NOT_RUN = "not run"


def show(estimate: Estimate | None, signed: bool = False) -> str:
    return NOT_RUN if estimate is None else estimate.show(signed)


def show_reached(places: list[float], unit: float) -> str:
    """Mean over the seeds that reached the target, and how many did."""
    reached = [place / unit for place in places if np.isfinite(place)]
    if not places:
        return NOT_RUN
    mean = f"{np.mean(reached):.0f}" if reached else "never"
    return mean if len(reached) == len(places) else f"{mean} ({len(reached)} of {len(places)} seeds)"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    header = list(header)
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
