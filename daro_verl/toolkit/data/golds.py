r"""Whether an answer can be scored at all. A gold that cannot makes its problem always wrong: it would teach nothing.

:func:`check_gold` is the one door. math-verify parses in a worker of the math reward, which is killed at a deadline.
"""

import re

from daro_verl.reward.normalise import normalise
from daro_verl.reward.options import MathRewardOptions
from daro_verl.reward.pool import shared_pool
from daro_verl.reward.process import Outcome, RewardWorkerError
from daro_verl.toolkit.data.errors import DaroDataError

DEADLINE = 10.0  # seconds for one answer; an easy one takes 2 ms
LONGEST = 400  # characters; longer texts are explanations
_MEMORY_MB = 4096  # an answer such as 10^(10^10) would take all there is
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


def check_gold(text: str) -> str | None:
    """Why this answer cannot be scored; None if it can."""
    reason = obvious_reason(text)
    if reason is not None or _PLAIN.fullmatch(text) or _WORD.fullmatch(text):
        return reason
    return _REASONS[_outcome(normalise(text).text)]


def obvious_reason(text: str) -> str | None:
    """What needs no parser."""
    if not text.strip():
        return "empty"
    if text.strip().casefold() in _NO_ANSWER:
        return f"{text.strip()!r} says that there is no answer"
    if len(text) > LONGEST:
        return f"{len(text)} characters, at most {LONGEST} are an answer"
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
