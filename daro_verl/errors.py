"""Errors that a user of daro-verl can meet. All of them pickle, so they cross Ray processes unharmed."""


class DaroError(Exception):
    """Base of every error raised by daro-verl on purpose."""


class DaroConfigError(DaroError, ValueError):
    """A job's configuration cannot train with DARO; the message says got, expected and the fix."""


class UnsupportedVerlError(DaroError, RuntimeError):
    """The installed verl is not one that this version of daro-verl was tried with."""


class DaroSeamError(DaroError, RuntimeError):
    """A place in verl that DARO relies on did not behave as expected; training on would be silently wrong."""


class DaroCheckpointError(DaroError, RuntimeError):
    """A file of difficulty weights is unreadable or belongs to a different job."""


class DaroSnapshotError(DaroError, ValueError):
    """A message with difficulty weights is not a whole snapshot."""


def got_expected_fix(subject: str, got: object, expected: str, fix: str) -> str:
    """One problem in the form that every message of daro-verl has."""
    return f"{subject}: got {got!r}, expected {expected}. Fix: {fix}"
