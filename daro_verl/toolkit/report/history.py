"""The history of a run: from one log file, and joined from several attempts and two loggers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from daro_verl.toolkit.report.metric_names import VALIDATION_FAMILY, family


@dataclass(frozen=True)
class LogFile:
    """One file of a run's logs: its part of the history, and what could not be read.

    - ``name``: relative to the run;
    - ``history``: index ``step``, a column per drawn metric. Later records of a step override earlier ones;
    - ``started``: seconds since 1970 if the format records it, for the order of attempts.
    """

    name: str
    kind: str
    history: pd.DataFrame
    steps: frozenset[int]
    warnings: tuple[str, ...] = ()
    started: float = 0.0


@dataclass
class HistoryBuilder:
    """Collects values by step and metric while a file is read. A later value of a step replaces an earlier one."""

    rows: dict[int, dict[str, float]] = field(default_factory=dict)

    def add(self, step: int, metric: str, value: float) -> None:
        self.rows.setdefault(step, {})[metric] = value

    def add_step(self, step: int) -> None:
        """Record that a step was logged, perhaps without a metric that the report draws."""
        self.rows.setdefault(step, {})

    def history(self) -> pd.DataFrame:
        """Index ``step`` in order, a column per metric."""
        table = pd.DataFrame.from_dict(self.rows, orient="index", dtype="float64")
        return table.rename_axis("step").sort_index()


def join_attempts(files: Sequence[LogFile]) -> tuple[pd.DataFrame, list[str]]:
    """The history of successive attempts, and notes about what was left out.

    A resumed job goes back to its last checkpoint and repeats the steps after it. Earlier values do not count from the
    first step that an attempt trained, even if it has not yet come as far as the one before, or no longer logs a
    metric. Of a family that it logged before (validation at the checkpoint's own step), they do not count from there. A
    family is, for example, ``actor/daro/loss`` with all bins, or all of validation.

    Args:
        files: the files in the order of the attempts.
    """
    history, notes = pd.DataFrame(), []
    for file in files:
        new, repeated = file.history, set()
        firsts = {name: new[columns].dropna(how="all").index.min() for name, columns in _families(new).items()}
        trained = min((first for name, first in firsts.items() if name != VALIDATION_FAMILY), default=math.inf)
        for name, old in _families(history).items():
            late = history.index >= min(trained, firsts.get(name, math.inf))
            repeated |= set(history.index[late & history[old].notna().any(axis=1)])
            history.loc[late, old] = float("nan")
        if repeated:
            notes.append(f"{file.name} repeats steps {_range(repeated)}: earlier values of these steps do not count")
        history = new.combine_first(history)
    return history.sort_index(), notes


def merge_loggers(json_lines: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """One history from both. JSON lines override events, because TensorBoard keeps only 32 bits of a number."""
    return json_lines.combine_first(events).sort_index()


def _families(history: pd.DataFrame) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for column in history.columns:
        if history[column].notna().any():
            found.setdefault(family(column), []).append(column)
    return found


def _range(steps: set[int]) -> str:
    first, last = min(steps), max(steps)
    return str(first) if first == last else f"{first} to {last}"
