"""A measured figure beside its bound."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Aim:
    """``measured`` should be at most ``bound``; None where it was not run."""

    what: str
    measured: float | None
    bound: float

    @property
    def verdict(self) -> str:
        if self.measured is None:
            return "not run"
        return "met" if self.measured <= self.bound else "not met"
