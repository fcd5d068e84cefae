r"""Decide about one raw row: keep it as a problem, or drop it for a reason. Decide when two problems are the same.

Two problems are the same if their texts are equal without their typesetting. Case, whitespace, punctuation, dollar
signs and LaTeX spacing do not count. Signs, digits, decimal points and operators do. ``1 2`` is not ``12``, ``1.5`` is
not ``15`` and ``x-1`` is not ``x+1``.
"""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

from daro_verl.toolkit.data.problem import CONTRADICTION, DUPLICATE, GOLD, IN_TEST, MISSING, Dropped, Problem, Source

Check = Callable[[str], str | None]

_SAME = {
    r"\dfrac": r"\frac",
    r"\tfrac": r"\frac",
    r"\leq": r"\le",
    r"\geq": r"\ge",
    r"\neq": r"\ne",
    "−": "-",
    "–": "-",
}
_COMMANDS = re.compile(r"\\(?:dfrac|tfrac|leq|geq|neq)(?![a-zA-Z])|[−–]")
_SPACING = re.compile(
    r"\\(?:quad|qquad|thinspace|left|right|bigl|bigr|big|Big|displaystyle|textstyle|limits|hfill|par|newline)(?![a-zA-Z])"
    r"|\\[,;:!> \n]|\\\\|~|\\[()\[\]]|\\?\$"
)
_ONE_IN_BRACES = re.compile(r"\{\s*(\w)\s*\}")
_PUNCTUATION = re.compile(r"[!?;:\"'`“”‘’…]|(?<!\d)[.,]|[.,](?!\d)")
_KEPT_SPACE = re.compile(r"(?<=[^\W\d])\s+(?=[^\W\d])|(?<=\d)\s+(?=\d)")


def normalised(text: str) -> str:
    """The text without its typesetting."""
    text = unicodedata.normalize("NFKC", text)
    text = _COMMANDS.sub(lambda match: _SAME[match.group()], text)
    text = _SPACING.sub(" ", text)
    text = _ONE_IN_BRACES.sub(r"\1", text).casefold()
    text = _PUNCTUATION.sub(" ", text).strip()
    text = _KEPT_SPACE.sub("\0", text)
    return re.sub(r"\s+", "", text).replace("\0", " ")


def problem_key(text: str) -> str:
    """Twelve bytes of a digest of the normalised text, in hexadecimal digits."""
    return hashlib.blake2b(normalised(text).encode("utf-8", "replace"), digest_size=12).hexdigest()


class Cleaner:
    """Reads rows, and remembers the keys of the problems that it kept.

    Any reason drops a training row. A benchmark's row is dropped only if it cannot be asked or has no answer. For any
    other reason it is kept with a remark, because a published score counts it.

    Args:
        test_keys: keys of the problems that may not be trained on.
        check: gives the reason why an answer cannot be scored, or None.
        seen: the answers of the problems kept so far, by key. New problems are added.
    """

    def __init__(self, test_keys: frozenset[str], check: Check, seen: MutableMapping[str, str]) -> None:
        self._test_keys, self._check, self.seen = test_keys, check, seen

    def clean(self, source: Source, row: Mapping[str, Any]) -> tuple[Problem, str, list[Dropped]]:
        """Return the row's problem, its key, and remarks on it.

        Raises:
            Dropped: the row is not a problem to keep.
        """
        problem = source.read(row)
        for name, value in (("problem", problem.text), ("answer", problem.answer)):
            if not value.strip():
                raise Dropped(MISSING, f"{name} is empty")
        identity = problem_key(problem.text)
        remarks = []
        for doubt in self._doubts(source, problem, identity):
            if source.role == "train":
                raise doubt
            remarks.append(doubt)
        self.seen.setdefault(identity, problem.answer)
        return problem, identity, remarks

    def _doubts(self, source: Source, problem: Problem, identity: str) -> Iterator[Dropped]:
        """Reasons to drop the row, the cheap ones first. The answer of a known training row is not parsed."""
        if (known := self._known(problem, identity)) is not None:
            yield known
        reason = self._check(problem.answer) if source.checks_golds else None
        if reason is not None:
            yield Dropped(GOLD, f"{problem.raw_answer[:60]!r} {reason}")

    def _known(self, problem: Problem, identity: str) -> Dropped | None:
        begin = problem.text[:80]
        if identity in self._test_keys:
            return Dropped(IN_TEST, begin)
        if identity not in self.seen:
            return None
        first = self.seen[identity]
        if first == problem.answer:
            return Dropped(DUPLICATE, begin)
        return Dropped(CONTRADICTION, f"{problem.answer[:40]!r}, first {first[:40]!r}: {begin}")
