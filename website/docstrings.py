"""Docstrings as Markdown: an extension of griffe, which reads the code for the API pages."""

import re
from typing import Any

import griffe


def as_markdown(text: str) -> str:
    """Sphinx's roles become code, and an asterisk behind code stays an asterisk."""
    return re.sub(r"(``?)\*", r"\1\\*", re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text))


class Docstrings(griffe.Extension):
    """Reads every docstring through :func:`as_markdown`."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """griffe calls it once for each module, class, function and attribute."""
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)
