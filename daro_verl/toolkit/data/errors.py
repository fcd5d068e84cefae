"""What a user of the data preparation can meet."""

from daro_verl.errors import DaroError


class DaroDataError(DaroError, ValueError):
    """The data cannot be prepared from these arguments or files; the message says got, expected and the fix."""
