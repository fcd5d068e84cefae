"""Decide about one raw row: keep it as a problem, or drop it for a reason."""

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

from daro_verl.toolkit.data.problem import CONTRADICTION, DUPLICATE, GOLD, IN_TEST, MISSING, Dropped, Problem, Source
from daro_verl.toolkit.data.same_problem import exact_key, problem_key, without_drawings

Check = Callable[[str], str | None]


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
        identity = problem_key(problem.text) if source.rows is None else exact_key(problem.text)
        remarks = []
        for doubt in self._doubts(source, problem, identity):
            if source.role == "train":
                raise doubt
            remarks.append(doubt)
        self.seen.setdefault(identity, problem.answer)
        return problem, identity, remarks

    def _doubts(self, source: Source, problem: Problem, identity: str) -> Iterator[Dropped]:
        """Reasons to drop the row, the cheap ones first. The answer of a known training row is not parsed."""
        if (known := self._known(source, problem, identity)) is not None:
            yield known
        reason = self._check(problem.answer) if source.checks_golds else None
        if reason is not None:
            yield Dropped(GOLD, f"{problem.raw_answer[:60]!r} {reason}")

    def _known(self, source: Source, problem: Problem, identity: str) -> Dropped | None:
        identities = {identity} | ({problem_key(without_drawings(problem.text))} if source.rows is None else set())
        begin = problem.text[:80]
        if not self._test_keys.isdisjoint(identities):
            return Dropped(IN_TEST, begin)
        if identity not in self.seen:
            return None
        first = self.seen[identity]
        if first == problem.answer:
            return Dropped(DUPLICATE, begin)
        return Dropped(CONTRADICTION, f"{problem.answer[:40]!r}, first {first[:40]!r}: {begin}")
