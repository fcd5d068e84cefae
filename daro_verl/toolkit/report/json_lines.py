"""verl's file logger: one JSON object per line, ``{"step": int, "data": {metric: value}}``, NaN written as null."""

import json
import math
from pathlib import Path
from typing import Any

from daro_verl.toolkit.report.metrics import is_drawn
from daro_verl.toolkit.report.records import LogFile, Values

LAST_STEP = 2**53
SHOWN = 3


def read_json_lines(path: Path, name: str) -> LogFile | None:
    """Read one file while it may still grow; None where it holds other JSON lines (verl dumps rollouts as such).

    A last line without its newline is still being written: it is left out with a warning, unless it is whole. Other
    lines that are no records are counted and left out. Values that are no numbers are left out; null is NaN.
    """
    values, broken, warnings = Values(), [], []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            record = _parse(line)
            if _is_record(record):
                _add(values, record)
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


def _add(values: Values, record: dict) -> None:
    values.see(record["step"])
    for metric, value in record["data"].items():
        if is_drawn(metric) and (value is None or isinstance(value, int | float)):
            values.add(record["step"], metric, _number(value))


def _number(value: float | None) -> float:
    try:
        return math.nan if value is None else float(value)
    except OverflowError:
        return math.inf
