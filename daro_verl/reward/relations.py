r"""Relations that math-verify reads as something else: inequalities joined by "or" as a list, ratios as quotients."""

import re

_OR = re.compile(r",?\s?(?:\\text\s?\{\s?or\s?\}|(?<![a-zA-Z\\])or(?![a-zA-Z])|\\(?:lor|vee)(?![a-zA-Z]))\s?")
_LESS = r"(<=?|\\leq?(?![a-zA-Z]))"
_SIGN = r"(<=?|>=?|\\[lg]eq?(?![a-zA-Z]))"
_NAME = r"(?P<name>[a-zA-Z])"
_BOUND = r"([^<>=,a-zA-Z]*(?:\\[a-zA-Z]+[^<>=,a-zA-Z]*)*)"
_HALF_LINE = re.compile(rf"{_NAME}\s?{_SIGN}\s?{_BOUND}")
_HALF_LINE_BACK = re.compile(rf"{_BOUND}\s?{_SIGN}\s?{_NAME}")
_BETWEEN = re.compile(rf"{_BOUND}\s?{_LESS}\s?{_NAME}\s?{_LESS}\s?{_BOUND}")
_NO_RATIO = re.compile(r"[,;<>|]|\\(?:[{}]|text|to(?![a-zA-Z]))|(?<![a-zA-Z])(?:or|and)(?![a-zA-Z])")


def ratio_terms(text: str) -> list[str]:
    """The terms of a ratio, ``2:3:4``, without its name and brackets; none of a list or of another text with colons."""
    value = text.rpartition("=")[2].strip()
    if value[:1] + value[-1:] in ("()", "[]"):
        value = value[1:-1]
    return [] if _NO_RATIO.search(value) else value.split(":")


def as_union(text: str) -> str:
    r"""``x < 1 \text{ or } x > 2`` as a union of intervals.

    Every part must be an inequality of the same variable between numbers; else the text stays.
    """
    parts = _OR.split(text)
    forms = (_HALF_LINE, _HALF_LINE_BACK, _BETWEEN)
    found = [next(filter(None, (form.fullmatch(part.strip()) for form in forms)), None) for part in parts]
    if len(parts) < 2 or None in found or len({match["name"] for match in found if match}) > 1:
        return text
    return r" \cup ".join(_interval(match) for match in found if match)


def _interval(found: re.Match[str]) -> str:
    if found.re is _BETWEEN:
        low, first, _, second, high = found.groups()
        return f"{_bracket('([', first)}{low.strip()}, {high.strip()}{_bracket(')]', second)}"
    is_back = found.re is _HALF_LINE_BACK
    bound, sign, _ = found.groups() if is_back else reversed(found.groups())
    if sign.startswith((">", r"\g")) != is_back:
        return rf"{_bracket('([', sign)}{bound.strip()}, \infty)"
    return rf"(-\infty, {bound.strip()}{_bracket(')]', sign)}"


def _bracket(kinds: str, sign: str) -> str:
    """The open or the closed one."""
    return kinds[sign not in ("<", ">")]
