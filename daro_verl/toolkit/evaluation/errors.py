"""What a user of the evaluation can meet."""

from daro_verl.errors import DaroError


class DaroEvaluationError(DaroError, ValueError):
    """A model, a file or a run cannot be evaluated or compared; the message says got, expected and the fix."""
