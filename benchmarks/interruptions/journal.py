"""The journal of a job: one JSON line per phase, resume and step. It shows when to kill the job."""

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

STARTING = "starting"
LOADING = "loading"
TRAINING = "training"
BEFORE_MODEL = "save: before the model's files"
MODEL = "save: the model's files"
BETWEEN = "save: between the model's files and ours"
DATA = "save: data.pt"
TRACKER = "save: tracker open and empty"
SAVED = "saved"
FINISHED = "finished"
SAVING = (BEFORE_MODEL, MODEL, BETWEEN, DATA, TRACKER)


class Journal:
    """Appends to one file per start of the job. Every line is a single write, so a kill leaves at most one torn line.

    Args:
        path: the file.
        die_at: ``<phase>#<n>``; when the phase begins for the n-th time the job kills its whole process group.
    """

    def __init__(self, path: Path, die_at: str | None = None) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._die_at = die_at
        self._entered: Counter[str] = Counter()

    def enter(self, phase: str, step: int) -> None:
        """A phase begins. Not synced: a kill does not lose what was written, and the job should not wait."""
        self._append({"phase": phase, "step": step})
        self._entered[phase] += 1
        if self._die_at == f"{phase}#{self._entered[phase]}":
            os.killpg(0, signal.SIGKILL)

    def note(self, kind: str, step: int, content: dict[str, Any]) -> None:
        """The job's whole state after ``step``; ``kind`` is ``resumed`` or ``trained``. Synced to the disk."""
        self._append({"kind": kind, "step": step, **content})
        os.fsync(self._file)

    def _append(self, line: dict[str, Any]) -> None:
        os.write(self._file, (json.dumps({"time": time.monotonic(), **line}) + "\n").encode())


def read_journal(path: Path) -> list[dict[str, Any]]:
    """All whole lines; none if the job did not come as far as opening it."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]]
