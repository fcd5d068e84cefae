"""The verdict of math-verify on two normalised answers. Runs in a worker only: it may take for ever, or all memory."""

from functools import lru_cache
from typing import Any

from math_verify import LatexExtractionConfig, parse, verify
from sympy import Expr

_CONFIG = (LatexExtractionConfig(boxed_match_priority=0, try_extract_without_anchor=False),)
# Below this size math-verify's fixed number of decimals tells nothing, so that any two of Minerva's answers are equal.
_TINY = 1e-4
_TINY_TOLERANCE = 1e-6


def judge(gold: str, predicted: str) -> bool:
    """Whether two normalised answers are the same mathematics; the gold one comes first, the rules are not symmetric.

    Intervals and inequalities compare (``(1, 2)`` and ``1 < x < 2``); ``x = 5`` is 5 but not ``y = 5``; an open
    interval is a pair. What math-verify cannot parse is compared as text.
    """
    parsed = _parse(gold), _parse(predicted)
    if not parsed[0] or not parsed[1]:
        return False
    tiny = _same_tiny_numbers(parsed[0][0], parsed[1][0])
    if tiny is not None:
        return tiny
    return bool(verify(*parsed, allow_set_relation_comp=True, timeout_seconds=None))


@lru_cache(maxsize=256)  # a gold answer returns with every response of its prompt
def _parse(text: str) -> list[Any]:
    return parse(rf"\boxed{{{text}}}", _CONFIG, parsing_timeout=None)


def _same_tiny_numbers(gold: Any, predicted: Any) -> bool | None:
    """For two numbers that are both nearly zero, or one of which is: whether they agree relatively. Else None."""
    if not all(isinstance(number, Expr) and number.is_number for number in (gold, predicted)):
        return None
    try:
        values = [abs(complex(number.evalf(15))) for number in (gold, predicted)]
        difference = abs(complex((gold - predicted).evalf(15)))
    except (TypeError, ValueError, OverflowError):
        return None
    if max(values) >= _TINY:
        return None
    return difference <= _TINY_TOLERANCE * max(values)
