"""What a knob's text may be. Pure: no file is looked at."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Kind:
    """``read`` turns a text into a value, and raises ValueError for what is not ``expected``."""

    expected: str
    read: Callable[[str], Any]


def whole(low: int) -> Kind:
    """A whole number from ``low`` on."""

    def read(text: str) -> int:
        return _within(int(text), int(text) >= low)

    return Kind(f"a whole number >= {low}", read)


def number(low: float, high: float = float("inf"), *, without_low: bool = False) -> Kind:
    """A finite number from ``low`` to ``high``, or above ``low``."""

    def read(text: str) -> float:
        value = float(text)
        above = value > low if without_low else value >= low
        return _within(value, above and value <= high and value != float("inf"))

    bounds = f"{'>' if without_low else '>='} {low:g}"
    return Kind(f"a number {bounds}" + (f" and <= {high:g}" if high != float("inf") else ""), read)


def one_of(*names: str) -> Kind:
    """One of these words."""
    return Kind(f"one of {', '.join(names)}", lambda text: _within(text, text in names))


def or_word(word: str, kind: Kind) -> Kind:
    """A value of ``kind``, or ``word``, which is read as None."""
    return Kind(f"{word}, or {kind.expected}", lambda text: None if text == word else kind.read(text))


def words(*known: str) -> Kind:
    """Some of these, with commas."""

    def read(text: str) -> list[str]:
        found = text.split(",")
        return _within(found, set(found) <= set(known) and len(set(found)) == len(found))

    return Kind(f"some of {', '.join(known)}, with commas", read)


def matching(pattern: str, expected: str) -> Kind:
    """A text that the whole pattern describes."""
    return Kind(expected, lambda text: _within(text, re.fullmatch(pattern, text) is not None))


def _switch(text: str) -> bool:
    return bool(_within(text, text in ("0", "1")) == "1")


def _path(text: str) -> str:
    """Absolute, because workers have other working directories."""
    return str(Path(_within(text.strip(), bool(text.strip()))).expanduser().absolute())


def _parquet_files(text: str) -> list[str]:
    return [_path(_within(part, part.strip().endswith(".parquet"))) for part in text.split(",")]


switch = Kind("0 or 1", _switch)
path = Kind("a path", _path)
parquet_files = Kind("paths that end in .parquet, with commas", _parquet_files)


def _within(value: Any, is_allowed: bool) -> Any:
    if not is_allowed:
        raise ValueError(value)
    return value
