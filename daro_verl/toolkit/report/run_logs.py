"""Read a run from all logs below its directory."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from daro_verl.errors import DaroError
from daro_verl.toolkit.report.history import LogFile, join_attempts, merge_loggers
from daro_verl.toolkit.report.log_files import NAME_PART, read_event_file, read_json_lines
from daro_verl.toolkit.report.prompt_kinds import prompt_kinds
from daro_verl.toolkit.report.run_sources import RunSource

SHOWN = 4


@dataclass(frozen=True)
class LoggedRun:
    """One run. ``history``: index ``step``, a column per drawn metric. ``steps``: all steps that were logged.

    ``prompts``: prompts by kind in its checkpoints (:func:`~daro_verl.toolkit.report.prompt_kinds.prompt_kinds`).
    """

    method: str
    name: str
    history: pd.DataFrame
    steps: frozenset[int]
    files: tuple[LogFile, ...]
    warnings: tuple[str, ...]
    prompts: pd.DataFrame = field(default_factory=pd.DataFrame)


def read_run(source: RunSource) -> LoggedRun:
    """Read a run. Nothing in its directory makes this fail. ``warnings`` names everything that cannot be read."""
    files, warnings = _read_files(source.path)
    histories = []
    for kind in ("JSON lines", "TensorBoard"):
        history, notes = join_attempts([file for file in files if file.kind == kind])
        histories.append(history)
        warnings += notes
    history = merge_loggers(*histories)
    warnings += [warning for file in files for warning in file.warnings] + _not_finite(history)
    if not files:
        warnings.append("no log in it: neither *.jsonl of verl's file logger nor TensorBoard event files")
    steps = frozenset().union(*(file.steps for file in files))
    prompts, notes = prompt_kinds(source.path)
    warnings = list(dict.fromkeys([*warnings, *notes]))
    return LoggedRun(source.method, source.name, history, steps, tuple(files), tuple(warnings), prompts)


def _read_files(path: Path) -> tuple[list[LogFile], list[str]]:
    """Every log below ``path``, in the order of attempts: by name (``2`` before ``10``), event files by first event."""
    read: list[LogFile] = []
    foreign: list[str] = []
    warnings: list[str] = []
    for file in sorted(_find(path), key=lambda file: _natural(str(file))):
        name = file.relative_to(path).as_posix() if path.is_dir() else file.name
        reader = read_event_file if NAME_PART in file.name else read_json_lines
        log = _try(reader, file, name, warnings)
        if log is not None:
            read.append(log)
        elif reader is read_json_lines:
            foreign.append(name)
    if foreign:
        shown = ", ".join(foreign[:SHOWN]) + (", ..." if len(foreign) > SHOWN else "")
        warnings.append(f"{len(foreign)} file(s) of other JSON lines not read: {shown}")
    return sorted(read, key=lambda file: file.started), list(dict.fromkeys(warnings))


def _find(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [file for file in path.rglob("*") if (file.suffix == ".jsonl" or NAME_PART in file.name) and file.is_file()]


def _try(reader: Callable[[Path, str], LogFile | None], file: Path, name: str, warnings: list[str]) -> LogFile | None:
    """The log; if it cannot be opened, a log without steps. A file that disappears meanwhile does not stop this."""
    empty = LogFile(name, "unreadable", pd.DataFrame(), frozenset())
    try:
        return reader(file, name)
    except OSError as error:
        warnings.append(f"{name}: not read, {error.strerror or type(error).__name__}")
    except DaroError as error:
        warnings.append(str(error))
    return empty


def _natural(name: str) -> list[tuple[int, int | str]]:
    """A sort key that puts ``2`` before ``10``."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", name) if part]


def _not_finite(history: pd.DataFrame) -> list[str]:
    """Warnings about infinite values, by metric. NaN counts as missing: verl logs it if there is nothing to average."""
    counts = np.isinf(history.to_numpy(dtype=float)).sum(axis=0) if len(history.columns) else []
    bad = {metric: int(count) for metric, count in zip(history.columns, counts, strict=True) if count}
    return [f"{metric}: {count} infinite value(s) left out" for metric, count in bad.items()]
