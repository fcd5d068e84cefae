"""A measured figure beside its bound."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Aim:
    """``measured`` should be at most ``bound``; None where it was not run.

    Attributes:
        quartiles: of single rounds, where the figure is a median of them: it is resolved where both are on its side of
            the bound.
    """

    what: str
    measured: float | None
    bound: float
    quartiles: list[float] | None = None

    @property
    def verdict(self) -> str:
        if self.measured is None:
            return "not run"
        if len({value <= self.bound for value in (self.measured, *(self.quartiles or ()))}) == 2:
            return "not resolved"
        return "met" if self.measured <= self.bound else "not met"


def largest_ratio(what: str, rows: Iterable[dict[str, Any]], bound: float) -> Aim:
    """The largest ``ratio`` of the rows of :func:`~benchmarks.cost.timing.compare`, with the quartiles of its row."""
    worst = max(rows, key=lambda row: row["ratio"], default=None)
    if worst is None:
        return Aim(what, None, bound)
    return Aim(what, worst["ratio"], bound, worst["quartiles"])
