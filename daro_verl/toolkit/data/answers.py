r"""Turn the answers of the files into text that math-verify reads correctly, and check that they can be scored.

Every rule of :func:`canonical` comes from a published benchmark:

- ``$69$,$84$`` and ``\$18.90``: a dollar sign is a delimiter or a currency, never part of a value;
- ``4.5e33``: math-verify reads it as 4.5 times e times 33;
- ``-1./3`` and ``np.arcsin(10/13)``: Python;
- ``142.0``: an integer as a float;
- a full stop after the answer.

If a gold answer cannot be scored, its problem is always wrong and teaches nothing. :func:`check_gold` gives the reason.
"""

import re
from typing import Any

from daro_verl.errors import DaroDataError
from daro_verl.reward.normalise import normalise
from daro_verl.reward.options import MathRewardOptions
from daro_verl.reward.pool import shared_pool
from daro_verl.reward.process import Outcome, RewardWorkerError
from daro_verl.toolkit.data.problem import NOT_AN_INTEGER, WRONG_TYPE, Dropped

_E_NOTATION = re.compile(r"(?<![\w.\\])([-+]?(?:\d+(?:\.\d*)?|\.\d+))[eE]([-+]?\d+)(?![\w.])")
_NUMPY = re.compile(r"\bnp\.(?=[a-z]+\()")
_BARE_POINT = re.compile(r"(?<=\d)\.(?!(?:\\[,!;: ]|[\s{])*(?:\d|\\(?:overline|bar|dot|overset)(?![a-zA-Z])))")
_DEGREES = re.compile(r"\^\s*(?:\\circ|\{\s*\\circ\s*\})$")
LARGEST_AIME_ANSWER = 999
LARGEST_EXACT_FLOAT = 2.0**53  # from here on, not every integer is a float

DEADLINE = 10.0  # seconds for one answer; an easy one takes 2 ms
LONGEST = 400  # characters; longer texts are explanations
_MEMORY_MB = 4096  # without a limit, an answer such as 10^(10^10) would take all memory
_REASONS = {
    Outcome.RIGHT: None,
    Outcome.WRONG: "math-verify reads nothing in it that equals itself",
    Outcome.DEADLINE: f"takes more than {DEADLINE:g} s",
    Outcome.MEMORY: f"takes more than {_MEMORY_MB} MiB",
    Outcome.LOST: "ends the process that parses it",
}
_PLAIN = re.compile(r"[-+]?\d+(?:\.\d+)?")
_WORD = re.compile(r"\\text\{[A-Za-z ]+\}|[A-Z]")
_NO_ANSWER = frozenset({"proof", "not found", "notfound", "n/a", "nan", "null", "unknown", "see solution"})


def canonical(value: Any) -> str:
    """Return an answer as text in one form. A second call changes nothing.

    Raises:
        Dropped: the value is neither text nor a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Dropped(WRONG_TYPE, f"answer is {type(value).__name__}, expected text or a number")
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise Dropped(WRONG_TYPE, f"answer is {value}")
        if abs(value) >= LARGEST_EXACT_FLOAT:
            raise Dropped(WRONG_TYPE, f"answer is {value}: a number, not text, so its last digits may be lost")
        value = int(value) if value.is_integer() else value
    text = str(value).replace(r"\$", "").replace("$", "")
    text = _E_NOTATION.sub(lambda match: rf"{match[1]} \times 10^{{{int(match[2])}}}", text)
    text = _NUMPY.sub(lambda _: "\\", text)
    text = _BARE_POINT.sub("", text)
    return text.strip().rstrip(".").strip()


def competition_integer(value: Any) -> str:
    """Read an AIME answer: an integer from 0 to 999, written as ``70``, ``070``, ``70.0`` or with a degree sign."""
    text = _DEGREES.sub("", canonical(value)).strip()
    if not re.fullmatch(r"\d+(?:\.0+)?", text) or int(float(text)) > LARGEST_AIME_ANSWER:
        raise Dropped(NOT_AN_INTEGER, str(value)[:80])
    return str(int(float(text)))


def check_gold(text: str) -> str | None:
    """The reason why this answer cannot be scored; None if it can.

    math-verify parses it in a worker of the math reward. The worker is killed at a deadline.

    Raises:
        DaroDataError: no worker can be started.
    """
    reason = obvious_reason(text)
    if reason is not None or _PLAIN.fullmatch(text) or _WORD.fullmatch(text):
        return reason
    return _REASONS[_outcome(normalise(text).text)]


def obvious_reason(text: str) -> str | None:
    """The reason why this answer cannot be scored, if no parser is needed to see it; else None."""
    if not text.strip():
        return "empty"
    if text.strip().casefold() in _NO_ANSWER:
        return f"{text.strip()!r} says that there is no answer"
    if len(text) > LONGEST:
        return f"{len(text)} characters, but an answer has at most {LONGEST}"
    if not balanced(text):
        return "braces do not match"
    return None


def balanced(text: str) -> bool:
    """Whether every brace that is not escaped has its partner."""
    depth = 0
    for brace in re.findall(r"[{}]", re.sub(r"\\.", "", text)):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return False
    return depth == 0


def _outcome(text: str) -> Outcome:
    try:
        return shared_pool(MathRewardOptions.workers, _MEMORY_MB).judge(text, None, DEADLINE)
    except RewardWorkerError as error:
        raise DaroDataError(str(error)) from error
