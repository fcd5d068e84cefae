"""TensorBoard event files, read with tensorboard's own loader: every scalar of every event, nothing sampled.

The loader stops without a word at the first record it cannot read, so the records are counted in the file as well.
"""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from daro_verl.errors import got_expected_fix
from daro_verl.toolkit.report.errors import DaroReportError
from daro_verl.toolkit.report.metrics import is_drawn
from daro_verl.toolkit.report.records import LogFile, Values

NAME_PART = ".tfevents."
# TFRecord: length (8 bytes), its checksum (4), data, their checksum (4)
HEADER, FRAME = 8, 16


def read_event_file(path: Path, name: str) -> LogFile:
    """Read one file while it may still grow; what comes after a broken record is left out with a warning.

    Raises:
        DaroReportError: tensorboard is not installed.
    """
    load = _loader()
    whole, rest = count_records(path)
    values, started, num_read, problem = Values(), 0.0, 0, ""
    try:
        for event in load(path):
            num_read += 1
            started = started or event.wall_time
            _add(values, event)
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
    """How many whole records the lengths in the file announce, and how many bytes come after the last of them."""
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
        raise DaroReportError(got_expected_fix("TensorBoard event files", str(error), "tensorboard", fix)) from error

    def load(path: Path) -> Iterator[Any]:
        try:
            yield from LegacyEventFileLoader(str(path)).Load()
        except DecodeError as error:
            raise ValueError(str(error)) from error

    return load


def _add(values: Values, event: Any) -> None:
    for value in event.summary.value:
        if not value.HasField("simple_value"):
            continue
        values.see(event.step)
        if is_drawn(value.tag):
            values.add(event.step, value.tag, value.simple_value)
