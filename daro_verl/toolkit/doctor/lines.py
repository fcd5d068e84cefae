"""One line of the doctor's answer."""

from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """Only a problem prevents a job from running, and makes the exit code 1."""

    OK = "OK"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Line:
    """The subject of a check, its result, and the fix."""

    status: Status
    subject: str
    found: str
    fix: str = ""


def ok(subject: str, found: str) -> Line:
    """A line for a check that passed."""
    return Line(Status.OK, subject, found)


def note(subject: str, found: str, fix: str = "") -> Line:
    """A line that is worth knowing. Some jobs still run."""
    return Line(Status.NOTE, subject, found, fix)


def wrong(subject: str, got: str, expected: str, fix: str) -> Line:
    """A line for a problem."""
    return Line(Status.PROBLEM, subject, f"got {got}, expected {expected}", fix)
