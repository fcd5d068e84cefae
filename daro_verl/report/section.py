"""One figure of the report: how it is drawn, what is said with it, and its numbers."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from daro_verl.report.theme import Theme

DARO = "algorithm.adv_estimator=daro"


@dataclass(frozen=True)
class Missing:
    """A metric that a figure needs and a run did not log; ``fix`` says which option logs it."""

    metric: str
    fix: str
    runs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """Numbers below a figure. The index of ``data`` names the rows."""

    caption: str
    data: pd.DataFrame


@dataclass(frozen=True)
class Section:
    """One figure. ``draw`` is None where nothing can be drawn; ``missing`` then says why.

    ``number``: of the figure in the paper. ``method``: the only method it shows, "" if it shows all.
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
    """A name for the files of each section: number, key and method in letters that every file system takes."""
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


def seeds(count: int) -> str:
    """``1 seed``, ``3 seeds``."""
    return f"{count} seed" + ("" if count == 1 else "s")
