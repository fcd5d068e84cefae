"""The two formats of verl's logs: JSON lines, and TensorBoard event files.

A line of verl's file logger is ``{"step": int, "data": {metric: value}}``, with NaN written as null.

Event files are read with tensorboard's own loader, which samples nothing: every scalar of every event is read. At the
first record that it cannot read, the loader stops without a warning. So the records in the file are also counted.
"""

import json
import math
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from daro_verl.errors import DaroConfigError
from daro_verl.toolkit.report.history import HistoryBuilder, LogFile
from daro_verl.toolkit.report.metric_names import is_drawn

LAST_STEP = 2**53
SHOWN = 3
NAME_PART = ".tfevents."
# TFRecord: length (8 bytes), its checksum (4), data, their checksum (4)
HEADER, FRAME = 8, 16


def read_json_lines(path: Path, name: str) -> LogFile | None:
    """Read one file, which may still grow; None if it holds other JSON lines (verl dumps rollouts in this form).

    A last line without its newline is still being written. It is left out with a warning, unless it is complete. Other
    lines that are not records are counted and left out. Values that are not numbers are left out; null is NaN.
    """
    values, broken, warnings = HistoryBuilder(), [], []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            record = _parse(line)
            if _is_record(record):
                _add_record(values, record)
            elif isinstance(record, dict) and "data" not in record and not values.rows:
                return None
            elif not line.endswith(b"\n"):
                warnings.append(f"{name}: last line ignored, it is incomplete (the job was killed or is writing it)")
            else:
                broken.append(number)
    if broken:
        shown = ", ".join(map(str, broken[:SHOWN])) + (", ..." if len(broken) > SHOWN else "")
        warnings.append(
            f"{name}: {len(broken)} broken line(s) ignored (line {shown}): not the records of a file logger"
        )
    if not values.rows and not warnings:
        warnings.append(f"{name}: empty")
    return LogFile(name, "JSON lines", values.history(), frozenset(values.rows), tuple(warnings))


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _is_record(record: Any) -> bool:
    if not isinstance(record, dict) or not isinstance(record.get("data"), dict):
        return False
    step = record.get("step")
    return isinstance(step, int) and not isinstance(step, bool) and 0 <= step < LAST_STEP


def _add_record(values: HistoryBuilder, record: dict) -> None:
    values.add_step(record["step"])
    for metric, value in record["data"].items():
        if is_drawn(metric) and (value is None or isinstance(value, int | float)):
            values.add(record["step"], metric, _number(value))


def _number(value: float | None) -> float:
    try:
        return math.nan if value is None else float(value)
    except OverflowError:
        return math.inf


def read_event_file(path: Path, name: str) -> LogFile:
    """Read one file, which may still grow. Everything after a broken record is left out with a warning.

    Raises:
        DaroConfigError: tensorboard is not installed.
    """
    load = _loader()
    whole, rest = count_records(path)
    values, started, num_read, problem = HistoryBuilder(), 0.0, 0, ""
    try:
        for event in load(path):
            num_read += 1
            started = started or event.wall_time
            _add_event(values, event)
    except (OSError, ValueError, RuntimeError) as error:  # the loader's errors on foreign bytes
        problem = f" ({type(error).__name__})"
    warnings = []
    if num_read < whole or problem:
        warnings.append(f"{name}: {num_read} of at least {whole} records are readable{problem}, the rest is ignored")
    elif rest and num_read:
        warnings.append(f"{name}: last record ignored, it is incomplete (the job was killed or is writing it)")
    elif rest or not num_read:
        warnings.append(f"{name}: no event in it: {'not an event file' if rest else 'empty'}")
    return LogFile(name, "TensorBoard", values.history(), frozenset(values.rows), tuple(warnings), started)


def count_records(path: Path) -> tuple[int, int]:
    """The number of complete records by the lengths in the file, and the number of bytes after the last of them."""
    size, position, count = path.stat().st_size, 0, 0
    with path.open("rb") as file:
        while position + FRAME <= size:
            file.seek(position)
            (length,) = struct.unpack("<Q", file.read(HEADER))
            if position + FRAME + length > size:
                break
            position += FRAME + length
            count += 1
    return count, size - position


def _loader() -> Callable[[Path], Iterator[Any]]:
    try:
        from google.protobuf.message import DecodeError
        from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
    except ImportError as error:
        fix = "pip install tensorboard, or log with verl's file logger: trainer.logger=[console,file]"
        raise DaroConfigError("TensorBoard event files", got=str(error), expected="tensorboard", fix=fix) from error

    def load(path: Path) -> Iterator[Any]:
        try:
            yield from LegacyEventFileLoader(str(path)).Load()
        except DecodeError as error:
            raise ValueError(str(error)) from error

    return load


def _add_event(values: HistoryBuilder, event: Any) -> None:
    for value in event.summary.value:
        if not value.HasField("simple_value"):
            continue
        values.add_step(event.step)
        if is_drawn(value.tag):
            values.add(event.step, value.tag, value.simple_value)
