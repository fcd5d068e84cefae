"""One figure of the report: its drawing, its text and its numbers."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from daro_verl.toolkit.report.theme import Theme

PER_BIN = "algorithm.adv_estimator=daro +algorithm.daro.metrics=all"
EVERY_TRAINER = "trainer.logger=[console,file] (every trainer of verl logs it)"


@dataclass(frozen=True)
class Missing:
    """A metric that a figure needs, the option that logs it, and the names of the runs without it."""

    metric: str
    fix: str
    runs: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Numbers below a figure. The index of ``data`` names the rows."""

    caption: str
    data: pd.DataFrame


@dataclass(frozen=True)
class Section:
    """One figure. ``draw`` is None if nothing can be drawn. ``missing`` then has the reason.

    ``number``: number of the figure in the paper. ``method``: the only method that it shows, or "" for all.
    """

    number: int
    key: str
    title: str
    caption: str
    method: str = ""
    alt: str = ""
    draw: Callable[[Theme], Any] | None = None
    tables: tuple[Table, ...] = ()
    missing: tuple[Missing, ...] = ()
    notes: tuple[str, ...] = field(default=())


def file_stems(sections: Sequence[Section]) -> list[str]:
    """A name for the files of each section: number, key and method, in letters that every file system accepts."""
    stems: list[str] = []
    for section in sections:
        parts = [f"fig{section.number}", section.key, re.sub(r"[^a-z0-9.]+", "_", section.method.lower()).strip("_.")]
        stem = base = "-".join(part for part in parts if part)
        for number in range(2, len(sections) + 2):
            if stem not in stems:
                break
            stem = f"{base}-{number}"
        stems.append(stem)
    return stems


def span(first: float, last: float) -> str:
    """A range of steps in words: ``step 3``, ``steps 1 to 3``."""
    return f"step {first:.0f}" if first == last else f"steps {first:.0f} to {last:.0f}"


def grouped(missing: Sequence[Missing]) -> list[tuple[str, tuple[str, ...], str]]:
    """Runs, metrics and fix. Metrics of the same runs with the same fix are grouped."""
    together: dict[tuple[str, str], tuple[str, ...]] = {}
    for entry in missing:
        key = ", ".join(entry.runs), entry.fix
        together[key] = (*together.get(key, ()), entry.metric)
    return [(runs, metrics, fix) for (runs, fix), metrics in together.items()]


def seeds(count: int) -> str:
    """A number of seeds in words: ``1 seed``, ``3 seeds``."""
    return f"{count} seed" + ("" if count == 1 else "s")
