r"""Compare answers of several parts as text: pairs, intervals, sets, lists, matrices and ``n = 5``.

math-verify needs tens of milliseconds to parse these. Most of them are plain numbers between brackets.
"""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

Compare = Callable[[str, str], bool | None]

_TOKEN = re.compile(r"\\[{}]|\\\\|\\[a-zA-Z]+|.", re.DOTALL)
_OPENING, _CLOSING = frozenset(("(", "[", "{", r"\{")), frozenset((")", "]", "}", r"\}"))
_CONJUNCTION = re.compile(r",?\s?(?:\\text\s?\{\s?(?:and|or)\s?\}|(?<![a-zA-Z\\])(?:and|or)(?![a-zA-Z]))\s?")
_MATRIX = re.compile(r"\\begin\s?\{([pb])matrix\}(.*)\\end\s?\{\1matrix\}", re.DOTALL)
_ASSIGNMENT = re.compile(r"([a-zA-Z](?:_\{?[a-zA-Z0-9]\}?)?)\s?=([^=<>,;]+)")


class Parts(NamedTuple):
    """``kind``: the pair of brackets, ``set`` for sets and lists (their order is free), or the shape of a matrix."""

    kind: str
    parts: list[str]


def compare_parts(gold: str, predicted: str, compare: Compare) -> bool | None:
    """The verdict by parts, which ``compare`` decides; None if the answers have no parts or a part is undecided.

    - Intervals and tuples need the same brackets and the same order.
    - Sets and lists need a partner for each part.
    - An ``n =`` on one side only does not count. If both sides have a name, the names must be the same.
    """
    names = _ASSIGNMENT.fullmatch(gold), _ASSIGNMENT.fullmatch(predicted)
    if names[0] or names[1]:
        return _compare_assigned(gold, predicted, names, compare)
    one, other = _split_parts(gold), _split_parts(predicted)
    if one is None or other is None:
        return None
    if "set" in (one.kind, other.kind):
        lists = _as_list(one, gold, other), _as_list(other, predicted, one)
        return None if lists[0] is None or lists[1] is None else _compare_unordered(lists[0], lists[1], compare)
    if one.kind != other.kind:  # (1, 2) is not [1, 2], but a longer list in square brackets may be a vector
        both_intervals = len(one.parts) == len(other.parts) == len(one.kind) == len(other.kind) == 2
        return False if both_intervals or _is_table(one) or _is_table(other) else None
    if len(one.parts) != len(other.parts):
        return False
    return _all(compare(part, partner) for part, partner in zip(one.parts, other.parts, strict=True))


def _split_parts(text: str) -> Parts | None:
    """The parts between the commas of the outermost level; None if there is one part, or if brackets do not match."""
    if matrix := _MATRIX.fullmatch(text):
        rows = [row.split("&") for row in matrix[2].strip().removesuffix(r"\\").split(r"\\")]
        return Parts(
            "matrix " + " ".join(str(len(row)) for row in rows), [cell.strip() for row in rows for cell in row]
        )
    tokens = _TOKEN.findall(_CONJUNCTION.sub(",", text))
    if len(tokens) > 2 and tokens[0] in _OPENING and tokens[-1] in _CLOSING:
        inner = _split_at_commas(tokens[1:-1])
        if inner is not None and tokens[0] != "{" and (len(inner) > 1 or tokens[0] == r"\{"):
            return Parts("set" if tokens[0] == r"\{" else tokens[0] + tokens[-1], inner)
    parts = _split_at_commas(tokens)
    return Parts("set", parts) if parts is not None and len(parts) > 1 else None


def _split_at_commas(tokens: list[str]) -> list[str] | None:
    depth, parts = 0, [""]
    for token in tokens:
        depth += (token in _OPENING) - (token in _CLOSING)
        if depth < 0:
            return None
        if depth == 0 and token in (",", ";"):
            parts.append("")
        else:
            parts[-1] += token
    parts = [part.strip() for part in parts]
    return parts if depth == 0 and all(parts) else None


def _as_list(answer: Parts, text: str, other: Parts) -> list[str] | None:
    """The elements of a set. A tuple beside a list of tuples is a list with one element."""
    if answer.kind == "set":
        return answer.parts
    return [text] if all(part.startswith("(") for part in other.parts) else None


def _is_table(answer: Parts) -> bool:
    """Whether an answer is a matrix of several rows and columns, and so not a vector."""
    rows = answer.kind.split()[1:]
    return answer.kind.startswith("matrix") and len(rows) > 1 and rows[0] != "1"


def _compare_assigned(
    gold: str, predicted: str, names: tuple[re.Match[str] | None, re.Match[str] | None], compare: Compare
) -> bool | None:
    values = [found[2].strip() if found else text for found, text in zip(names, (gold, predicted), strict=True)]
    verdict = compare(values[0], values[1])
    if verdict and names[0] and names[1] and names[0][1] != names[1][1]:
        return False
    return verdict


def _compare_unordered(golds: list[str], predicted: list[str], compare: Compare) -> bool | None:
    verdicts = [[compare(gold, one) for one in predicted] for gold in golds]
    lines = verdicts + [list(column) for column in zip(*verdicts, strict=True)]
    if any(True not in line and None not in line for line in lines):
        return False
    return True if all(True in line for line in lines) else None


def _all(verdicts: Iterable[bool | None]) -> bool | None:
    found = list(verdicts)
    return False if False in found else None if None in found else True
