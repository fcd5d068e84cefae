"""Count the outcomes of this process's answers, and log those that could not be decided."""

import logging
import threading
from collections import Counter
from enum import Enum

logger = logging.getLogger(__name__)


class Outcome(Enum):
    """The outcome of one pair."""

    RIGHT = "right"
    WRONG = "wrong"
    DEADLINE = "deadline"
    MEMORY = "memory"
    LOST = "lost"  # the worker ended, but not because of one of the limits


UNDECIDED = (Outcome.DEADLINE, Outcome.MEMORY, Outcome.LOST)


class Tally:
    """Outcomes of one process. A warning comes with the 1st, 2nd, 4th, 8th ... answer that is not decided."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[Outcome] = Counter()

    def add(self, outcome: Outcome, gold: str, predicted: str) -> None:
        """Count one answer. The texts are for the log."""
        with self._lock:
            self._counts[outcome] += 1
            counts = self._counts.copy()
        undecided = sum(counts[reason] for reason in UNDECIDED)
        if outcome in UNDECIDED and undecided & (undecided - 1) == 0:
            logger.warning(
                "The math reward could not decide %d of %d answers in this process (past the deadline: %d, out of "
                "memory: %d, worker lost: %d). The last one: gold answer %.100r, predicted %.100r",
                undecided,
                counts.total(),
                *(counts[reason] for reason in UNDECIDED),
                gold,
                predicted,
            )

    def counts(self) -> dict[str, int]:
        """Number of answers for every :class:`Outcome` name."""
        with self._lock:
            return {outcome.value: self._counts[outcome] for outcome in Outcome}
