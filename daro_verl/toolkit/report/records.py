"""What one log file held, whatever its format."""

from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class LogFile:
    """One file of a run's logs: its part of the history, and what could not be read.

    ``name``: relative to the run. ``history``: index ``step``, a column per drawn metric, later records of a step win.
    ``started``: seconds since 1970 where the format records it, for the order of attempts.
    """

    name: str
    kind: str
    history: pd.DataFrame
    steps: frozenset[int]
    warnings: tuple[str, ...] = ()
    started: float = 0.0


@dataclass
class Values:
    """Values collected while a file is read, by step and metric; a later value of the same step wins."""

    rows: dict[int, dict[str, float]] = field(default_factory=dict)

    def add(self, step: int, metric: str, value: float) -> None:
        self.rows.setdefault(step, {})[metric] = value

    def see(self, step: int) -> None:
        """A step was logged, perhaps without a metric that the report draws."""
        self.rows.setdefault(step, {})

    def history(self) -> pd.DataFrame:
        """Index ``step`` in order, a column per metric."""
        table = pd.DataFrame.from_dict(self.rows, orient="index", dtype="float64")
        return table.rename_axis("step").sort_index()
