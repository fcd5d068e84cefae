r"""Whether an answer can be scored at all. A gold that cannot makes its problem always wrong: it would teach nothing.

:func:`check_gold` is the one door. math-verify parses in a process of its own, because no signal or thread stops it on
every input, and because a process can be killed.
"""

import atexit
import functools
import importlib.util
import re

from daro_verl.data.errors import DaroDataError
from daro_verl.data.gold_process import GoldProcess
from daro_verl.errors import got_expected_fix

DEADLINE = 10.0  # seconds for one answer; an easy one takes 2 ms
LONGEST = 400  # characters; longer texts are explanations
_PLAIN = re.compile(r"[-+]?\d+(?:\.\d+)?")
_WORD = re.compile(r"\\text\{[A-Za-z ]+\}|[A-Z]")
_NO_ANSWER = frozenset({"proof", "not found", "notfound", "n/a", "nan", "null", "unknown", "see solution"})


def check_gold(text: str) -> str | None:
    """Why this answer cannot be scored; None if it can."""
    reason = obvious_reason(text)
    if reason is not None or _PLAIN.fullmatch(text) or _WORD.fullmatch(text):
        return reason
    return _process().reason(text)


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


@functools.cache
def _process() -> GoldProcess:
    """One process for all answers, ended with this one."""
    if importlib.util.find_spec("math_verify") is None:
        raise DaroDataError(
            got_expected_fix("math-verify", "no such package", "math-verify 0.9", 'pip install "daro-verl[data]"')
        )
    process = GoldProcess(DEADLINE)
    atexit.register(process.stop)
    return process
