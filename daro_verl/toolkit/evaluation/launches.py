"""The engines that drew a run's responses: one entry per version and layout. An interrupted run may have several."""

import json
from pathlib import Path
from typing import NamedTuple

from daro_verl.atomic import write_atomically

FILE = "launches.json"


class Launch(NamedTuple):
    """``tp``: GPUs that share a copy of the weights. ``dp``: copies."""

    engine: str
    version: str
    tp: int
    dp: int

    def __str__(self) -> str:
        return f"{self.engine} {self.version} (TP {self.tp}, DP {self.dp})"


def read_launches(folder: Path) -> list[Launch]:
    """The entries in the order of their first rows. A run of an earlier version has none."""
    path = folder / FILE
    return [Launch(**entry) for entry in json.loads(path.read_bytes())] if path.exists() else []


def add_launch(folder: Path, launch: Launch) -> None:
    """Add an engine, unless it is already there."""
    if launch not in (known := read_launches(folder)):
        write_atomically(folder / FILE, json.dumps([entry._asdict() for entry in [*known, launch]], indent=2))
