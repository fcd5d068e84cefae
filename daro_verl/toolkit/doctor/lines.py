"""One line of the doctor's answer."""

from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """Only a problem keeps a job from running, and makes the exit code 1."""

    OK = "OK"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Line:
    """What was checked, what was found there, and what to do about it."""

    status: Status
    subject: str
    found: str
    fix: str = ""


def ok(subject: str, found: str) -> Line:
    """Nothing to do."""
    return Line(Status.OK, subject, found)


def note(subject: str, found: str, fix: str = "") -> Line:
    """Worth knowing; some jobs run all the same."""
    return Line(Status.NOTE, subject, found, fix)


def wrong(subject: str, got: str, expected: str, fix: str) -> Line:
    """A problem."""
    return Line(Status.PROBLEM, subject, f"got {got}, expected {expected}", fix)
