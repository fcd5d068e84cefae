"""What a user of the model preparation can meet."""

from daro_verl.errors import DaroError


class DaroModelError(DaroError, ValueError):
    """The model cannot be prepared, or does not fit its layout; the message says got, expected and the fix."""
