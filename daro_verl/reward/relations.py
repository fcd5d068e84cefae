r"""Inequalities joined by "or": ``x < 1 \text{ or } x > 2`` is a union of intervals. math-verify reads a list."""

import re

_OR = re.compile(r",?\s?(?:\\text\s?\{\s?or\s?\}|(?<![a-zA-Z\\])or(?![a-zA-Z])|\\(?:lor|vee)(?![a-zA-Z]))\s?")
_LESS = r"(<=?|\\leq?(?![a-zA-Z]))"
_SIGN = r"(<=?|>=?|\\[lg]eq?(?![a-zA-Z]))"
_NAME = r"(?P<name>[a-zA-Z])"
_BOUND = r"([^<>=,a-zA-Z]*(?:\\[a-zA-Z]+[^<>=,a-zA-Z]*)*)"
_HALF_LINE = re.compile(rf"{_NAME}\s?{_SIGN}\s?{_BOUND}")
_BETWEEN = re.compile(rf"{_BOUND}\s?{_LESS}\s?{_NAME}\s?{_LESS}\s?{_BOUND}")


def as_union(text: str) -> str:
    """The union, if every part is an inequality of the same variable between numbers; else the text."""
    parts = _OR.split(text)
    found = [_HALF_LINE.fullmatch(part.strip()) or _BETWEEN.fullmatch(part.strip()) for part in parts]
    if len(parts) < 2 or None in found or len({match["name"] for match in found if match}) > 1:
        return text
    return r" \cup ".join(_interval(match) for match in found if match)


def _interval(found: re.Match[str]) -> str:
    if found.re is _BETWEEN:
        low, first, _, second, high = found.groups()
        return f"{_bracket('([', first)}{low.strip()}, {high.strip()}{_bracket(')]', second)}"
    _, sign, bound = found.groups()
    if sign.startswith((">", r"\g")):
        return rf"{_bracket('([', sign)}{bound.strip()}, \infty)"
    return rf"(-\infty, {bound.strip()}{_bracket(')]', sign)}"


def _bracket(kinds: str, sign: str) -> str:
    """The open or the closed one."""
    return kinds[sign not in ("<", ">")]
