r"""The last balanced box of a worked solution."""

import re

_BOX = re.compile(r"\\(?:boxed|fbox)\s*")


def last_boxed(text: str) -> str | None:
    r"""Content of the last complete ``\boxed{...}``; also of ``\boxed 2`` and ``\fbox{...}``. None without one."""
    for match in reversed(list(_BOX.finditer(text))):
        rest = text[match.end() :]
        content = _braced(rest) if rest.startswith("{") else _unbraced(rest)
        if content:
            return content
    return None


def _braced(text: str) -> str | None:
    depth, position = 0, 0
    while position < len(text):
        letter = text[position]
        if letter == "\\":  # an escaped brace does not count
            position += 2
            continue
        depth += (letter == "{") - (letter == "}")
        if depth == 0:
            return text[1:position].strip()
        position += 1
    return None


def _unbraced(text: str) -> str | None:
    word = re.match(r"[^\s$}\\]+", text)
    return word.group().rstrip(".,") if word else None
