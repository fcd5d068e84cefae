r"""Answers as the files write them, made into text that math-verify reads as what was meant.

Every rule was found on a published benchmark: ``$69$,$84$`` and ``\$18.90`` (a dollar sign is a delimiter or a
currency, never part of a value), ``4.5e33`` (read as 4.5 times e times 33), ``-1./3`` and ``np.arcsin(10/13)``
(Python), ``142.0`` (an integer as a float), a full stop after the answer.
"""

import re
from typing import Any

from daro_verl.toolkit.data.problem import NOT_AN_INTEGER, WRONG_TYPE, Dropped

_E_NOTATION = re.compile(r"(?<![\w.\\])([-+]?(?:\d+(?:\.\d*)?|\.\d+))[eE]([-+]?\d+)(?![\w.])")
_NUMPY = re.compile(r"\bnp\.(?=[a-z]+\()")
_BARE_POINT = re.compile(r"(?<=\d)\.(?!\d)")
_DEGREES = re.compile(r"\^\s*(?:\\circ|\{\s*\\circ\s*\})$")
LARGEST_AIME_ANSWER = 999


def canonical(value: Any) -> str:
    """An answer as text in one form. Applying it twice changes nothing.

    Raises:
        Dropped: neither text nor a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Dropped(WRONG_TYPE, f"answer is {type(value).__name__}, expected text or a number")
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise Dropped(WRONG_TYPE, f"answer is {value}")
        value = int(value) if value.is_integer() else value
    text = str(value).replace(r"\$", "").replace("$", "")
    text = _E_NOTATION.sub(lambda match: rf"{match[1]} \times 10^{{{int(match[2])}}}", text)
    text = _NUMPY.sub(lambda _: "\\", text)
    text = _BARE_POINT.sub("", text)
    return text.strip().rstrip(".").strip()


def competition_integer(value: Any) -> str:
    """An AIME answer: an integer from 0 to 999, written as ``70``, ``070``, ``70.0`` or with a degree sign."""
    text = _DEGREES.sub("", canonical(value)).strip()
    if not re.fullmatch(r"\d+(?:\.0+)?", text) or int(float(text)) > LARGEST_AIME_ANSWER:
        raise Dropped(NOT_AN_INTEGER, str(value)[:80])
    return str(int(float(text)))
