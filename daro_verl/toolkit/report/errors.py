"""What a user of the report can meet."""

from daro_verl.errors import DaroError


class DaroReportError(DaroError, ValueError):
    """The report cannot be made from these arguments or files; the message says got, expected and the fix."""
