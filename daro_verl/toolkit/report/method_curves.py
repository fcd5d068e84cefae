"""Curves of a report's runs: of one method with one G for figures per bin, of all methods for other figures."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from daro_verl.toolkit.report.metric_names import bin_columns, empty_tidy, tidy
from daro_verl.toolkit.report.run_logs import LoggedRun
from daro_verl.toolkit.report.section import seeds
from daro_verl.toolkit.report.statistics import every_run, mean_over_runs


@dataclass(frozen=True)
class MethodCurves:
    """One method's numbers. ``mean``: see :func:`~daro_verl.toolkit.report.statistics.mean_over_runs`.

    ``num_rollouts``: G; 0 if nothing is per bin. ``runs``: the names of the runs that logged something.
    """

    method: str
    num_rollouts: int
    mean: pd.DataFrame
    runs: tuple[str, ...]

    @property
    def steps(self) -> tuple[int, int]:
        """First and last step of the mean."""
        return int(self.mean["step"].min()), int(self.mean["step"].max())

    @property
    def said_seeds(self) -> str:
        """The caption's words for the average over seeds."""
        return "one run" if len(self.runs) == 1 else f"mean over {seeds(len(self.runs))}"

    def quantities(self) -> set[str]:
        return set(self.mean["quantity"])

    def bins(self, *quantities: str) -> list[int]:
        """The bins for which one of these quantities was logged, in order."""
        return sorted({int(k) for k in self.mean.loc[self.mean["quantity"].isin(quantities), "bin"]})


Columns = Callable[[pd.DataFrame], Mapping[str, tuple[str, int, int]]]


def tidy_runs(runs: Sequence[LoggedRun], columns: Columns) -> pd.DataFrame:
    """The tidy tables of all runs, joined. ``columns``: which of a history's columns to use."""
    tables = [tidy(run.method, run.name, run.history, found) for run in runs if (found := columns(run.history))]
    return joined(tables)


def joined(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Join tidy tables, one below the other."""
    return pd.concat([table for table in tables if len(table)] or [empty_tidy()], ignore_index=True)


def per_bin_curves(runs: Sequence[LoggedRun], quantities: Iterable[str], shares: str = "") -> list[MethodCurves]:
    """Curves for each method and G, in the order of the runs. Empty if no run logged any of the quantities.

    Args:
        shares: the quantity that adds up to one over the bins. A bin that lacks it at a step has the share 0.
    """
    quantities = tuple(quantities)
    table = tidy_runs(runs, lambda history: bin_columns(history, quantities))
    if (table["quantity"] == shares).any():
        table = pd.concat([table[table["quantity"] != shares], _with_zeros(table[table["quantity"] == shares])])
    return [curves for _, part in table.groupby("num_rollouts", sort=True) for curves in curves_by_method(part)]


def _with_zeros(shares: pd.DataFrame) -> pd.DataFrame:
    """Add a 0 for each bin missing at a step. Else means cover only seeds with the bin, and their sum exceeds one."""
    keys = ["method", "run", "quantity", "num_rollouts", "step"]
    wide = shares.pivot_table(index=keys, columns="bin", values="value", sort=False).fillna(0.0)
    return wide.melt(ignore_index=False).reset_index()


def curves_by_method(table: pd.DataFrame) -> list[MethodCurves]:
    """Curves for each method of a tidy table, in the table's order."""
    return [
        MethodCurves(
            str(method), int(part["num_rollouts"].iloc[0]), mean_over_runs(part), tuple(dict.fromkeys(part["run"]))
        )
        for method, part in table.groupby("method", sort=False)
    ]


def without(runs: Sequence[LoggedRun], every_method: Sequence[MethodCurves], quantity: str) -> tuple[str, ...]:
    """The names of the runs that have no curve of a quantity."""
    shown = {name for curves in every_method if quantity in curves.quantities() for name in curves.runs}
    return tuple(run.name for run in runs if run.name not in shown)


def complete_curve(curves: MethodCurves, quantity: str) -> pd.DataFrame:
    """``value``, ``error`` and ``count`` by ``step`` of a quantity without bins, at the steps that every run logged."""
    rows = every_run(curves.mean[curves.mean["quantity"] == quantity])
    return rows.set_index("step")[["value", "error", "count"]].sort_index()
