r"""Inequalities of one variable as intervals: ``x \ge 5`` is ``[5, \infty)``, ``1 < x \le 2`` is ``(1, 2]``."""

import re
from typing import NamedTuple

_RELATION = re.compile(r"\s?(\\leq?(?:slant)?(?![a-zA-Z])|\\geq?(?:slant)?(?![a-zA-Z])|<=?|>=?)\s?")
_VARIABLE = re.compile(r"[a-zA-Z]|\\[a-z]+")
_LESS, _CLOSED = ("<", r"\l"), ("=", "e", "eq", "slant")


class Bounds(NamedTuple):
    """An interval with its variable; ``brackets`` are two characters, as ``[)``."""

    variable: str
    brackets: str
    low: str
    high: str


def as_bounds(text: str) -> Bounds | None:
    """The interval of a normalised text that is one inequality, or a chain of two in one direction; else None."""
    pieces = _RELATION.split(text)
    if len(pieces) not in (3, 5) or not all(piece.strip() for piece in pieces):
        return None
    terms, relations = pieces[::2], pieces[1::2]
    less, closed = [found.startswith(_LESS) for found in relations], [found.endswith(_CLOSED) for found in relations]
    if len(set(less)) == 2:
        return None
    if not less[0]:  # read it from the other end
        terms, closed = terms[::-1], closed[::-1]
    if len(terms) == 2:
        variable_first = _VARIABLE.fullmatch(terms[0]) is not None
        terms = [r"-\infty", *terms] if variable_first else [*terms, r"\infty"]
        closed = [False, *closed] if variable_first else [*closed, False]
    low, variable, high = terms
    if not _VARIABLE.fullmatch(variable) or any(variable in _letters(bound) for bound in (low, high)):
        return None
    return Bounds(variable, ("[" if closed[0] else "(") + ("]" if closed[1] else ")"), low, high)


def _letters(bound: str) -> list[str]:
    return re.findall(r"\\[a-zA-Z]+|[a-zA-Z]", bound)
