"""One history from the attempts of a job that was interrupted and resumed, and from its two loggers."""

from collections.abc import Sequence

import pandas as pd

from daro_verl.toolkit.report.metrics import family
from daro_verl.toolkit.report.records import LogFile


def join_attempts(files: Sequence[LogFile]) -> tuple[pd.DataFrame, list[str]]:
    """The history of successive attempts, and what was left out of it in words.

    A resumed job goes back to its last checkpoint and repeats the steps after it. From the first step on at which an
    attempt logged a family of metrics (``actor/daro/loss`` with all bins; all of validation), earlier values of that
    family do not count: also where the attempt has not come as far yet as the one before, and where a bin is missing in
    the repeated step.

    Args:
        files: in the order of the attempts.
    """
    history, notes = pd.DataFrame(), []
    for file in files:
        new, repeated = file.history, set()
        for name, columns in _families(new).items():
            first = new[columns].dropna(how="all").index.min()
            old = [column for column in history.columns if family(column) == name]
            late = history.index >= first
            repeated |= set(history.index[late & history[old].notna().any(axis=1)]) if old else set()
            history.loc[late, old] = float("nan")
        if repeated:
            notes.append(f"{file.name} repeats steps {_range(repeated)}: earlier values of these steps do not count")
        history = new.combine_first(history)
    return history.sort_index(), notes


def merge_loggers(json_lines: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """One history from both; JSON lines win, because TensorBoard keeps 32 bits of a number."""
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
