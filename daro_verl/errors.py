"""Errors that daro-verl raises on purpose. All of them pickle, so they pass between Ray processes unchanged."""

from collections.abc import Sequence
from typing import Any, Self

_NOT_GIVEN = object()


class DaroError(Exception):
    """Base of every error that daro-verl raises on purpose. The message says got, expected and the fix.

    Attributes:
        problems: the message of each problem. There is one, unless :meth:`of` made the error. Not pickled.
    """

    def __init__(self, subject: str, *, got: object = _NOT_GIVEN, expected: str = "", fix: str = "") -> None:
        """Say what is wrong.

        Args:
            subject: an option, a file, or a place in verl. Without the other arguments it is the whole message.
            got: the value found.
            expected: the right value, and why.
            fix: what the user should do.
        """
        super().__init__(subject if got is _NOT_GIVEN else problem(subject, got, expected, fix))
        self.problems: list[str] = [str(self)]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self),)

    @classmethod
    def of(cls, problems: Sequence[str], heading: str = "") -> Self:
        """One error for several problems, one line each."""
        error = cls("\n".join([heading, *(f"- {line}" for line in problems)] if heading else problems))
        error.problems = list(problems)
        return error


def without_traceback(error: DaroError) -> DaroError:
    """The same error in a form of which Hydra shows only the message. verl's entry points run under ``hydra.main``.

    ``HYDRA_FULL_ERROR=1`` also shows the traceback. The error pickles as its original class.
    """
    from hydra.errors import CompactHydraException

    kind = type(error)
    names = {"__module__": kind.__module__, "__reduce__": lambda self: (kind, (str(self),))}
    compact = type(kind.__name__, (kind, CompactHydraException), names)(str(error))
    compact.problems = error.problems
    return compact


class DaroConfigError(DaroError, ValueError):
    """A job, an option or an argument is wrong."""


class DaroDataError(DaroError, ValueError):
    """A file, a data set, a model or a finished run cannot be used as it is."""


class DaroVerlError(DaroError, RuntimeError):
    """verl differs from the version that daro-verl was tried with. Training would go wrong without a sign of it."""


class DaroCheckpointError(DaroError, RuntimeError):
    """A file of difficulty weights is unreadable, or belongs to a different job."""


class DaroSnapshotError(DaroError, ValueError):
    """A message with difficulty weights is not a complete snapshot."""


def problem(subject: str, got: object, expected: str, fix: str) -> str:
    """The text of one problem, in the form that every message of daro-verl has."""
    return f"{subject}: got {got!r}, expected {expected}. Fix: {fix}"
