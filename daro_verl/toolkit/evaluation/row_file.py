"""Finished rows, one line of JSON each. Each is appended at once, so an interruption loses only rows in flight."""

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from daro_verl.errors import DaroDataError

ROWS = "rows.jsonl"
STOP, LENGTH, NO_ROOM = "stop", "length", "no_room"  # how a response ended; NO_ROOM: its prompt left it no token


@dataclass(frozen=True)
class Response:
    """One response's verdict.

    - ``pred``: the answer in its normalised spelling; empty without one;
    - ``acc``: 1 if right, 0 if wrong or not decided;
    - ``timed_out``: whether it was not decided;
    - ``length``: in tokens, including the last one;
    - ``finish``: one of the names above;
    - ``digest``: a digest of the tokens, to find equal responses; empty without tokens, and in earlier files.
    """

    pred: str
    acc: float
    timed_out: bool
    length: int
    finish: str
    digest: str = ""


@dataclass(frozen=True)
class Row:
    """One problem's responses. ``key`` and ``benchmark`` are the problem's."""

    key: str
    benchmark: str
    prompt_tokens: int
    responses: tuple[Response, ...]


class RowFile:
    """The rows of one run. The context locks the file, so that no second process writes to it.

    A last line without its newline comes from a killed run. It is cut off, and its row is done again.

    Raises:
        DaroDataError: another process uses the file, or a line is broken.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / ROWS
        self.rows: dict[str, Row] = {}

    def __enter__(self) -> "RowFile":
        self._file: BinaryIO = self._path.open("ab")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            fix = "wait for the other process, or name another --out"
            raise DaroDataError(str(self._path), got="in use", expected="one process", fix=fix) from error
        whole = self._path.read_bytes().rpartition(b"\n")
        self._file.truncate(len(whole[0]) + len(whole[1]))
        self.rows = read_rows(self._path)
        return self

    def append(self, row: Row) -> None:
        """Add a row. It is on the disk when this returns."""
        self._file.write(json.dumps(asdict(row)).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.rows[row.key] = row

    def __exit__(self, *_: object) -> None:
        self._file.close()


def read_rows(path: Path) -> dict[str, Row]:
    """The complete rows of a file, by key.

    Raises:
        DaroDataError: a line is broken.
    """
    rows = {}
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"\n"):
            break  # the run was killed here, or still writes
        row = _parse(line, path, number)
        rows[row.key] = row
    return rows


def _parse(line: bytes, path: Path, number: int) -> Row:
    try:
        value: dict[str, Any] = json.loads(line)
        return Row(**{**value, "responses": tuple(Response(**response) for response in value["responses"])})
    except (ValueError, TypeError, KeyError) as error:
        got = f"line {number}: {line[:60]!r} ({type(error).__name__})"
        fix = "remove that line, so that its row is done again"
        raise DaroDataError(str(path), got=got, expected="one finished row per line", fix=fix) from error
