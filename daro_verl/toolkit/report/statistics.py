"""Smoothing, means over seeds and data sets, and the numbers in the tables."""

import numpy as np
import pandas as pd

KEYS = ["quantity", "num_rollouts", "bin"]
LAST_PART = 0.1
VALIDATION = "validation"


def smooth(values: pd.Series, alpha: float) -> pd.Series:
    """Exponential smoothing ``y_0 = x_0``, ``y_t = alpha x_t + (1 - alpha) y_{t-1}``. Missing values are skipped.

    Args:
        alpha: in (0, 1]. 1 does not change the values. The paper's figures use 0.1.
    """
    return values.ewm(alpha=alpha, adjust=False, ignore_na=True).mean()


def centred_mean(values: pd.Series, part: float = 0.05) -> pd.Series:
    """Centred moving mean, so without lag, over a twentieth of the points (an odd number), and fewer at both ends."""
    window = 2 * int(part * len(values) / 2) + 1
    return values.rolling(window, center=True, min_periods=1).mean()


def mean_over_runs(table: pd.DataFrame) -> pd.DataFrame:
    """One method's tidy table averaged over its runs, up to the last step that every run has reached.

    Beyond that step, the mean would cover fewer runs, and jump. Columns: quantity, num_rollouts, bin, step, and

    - ``value``: mean over the runs that logged the quantity at this step;
    - ``error``: standard error of the mean, which is the deviation with n - 1 over sqrt(n); NaN for one run;
    - ``count``: n.
    """
    last = table.groupby([*KEYS[:2], "run"])["step"].max().groupby(KEYS[:2]).min().rename("last")
    table = table.join(last, on=KEYS[:2])
    table = table[table["step"] <= table["last"]]
    # a run may log a quantity twice at a step, under two names (validation with another N): its mean counts once
    per_run = table.groupby([*KEYS, "step", "run"])["value"].mean()
    groups = per_run.groupby([*KEYS, "step"])
    result = pd.DataFrame({"value": groups.mean(), "error": groups.sem(), "count": groups.size()})
    return result.reset_index()


def every_run(mean: pd.DataFrame) -> pd.DataFrame:
    """The steps at which every run counts, so that a curve covers the same seeds throughout; all steps if none does."""
    complete = mean[mean["count"] == mean.groupby(KEYS)["count"].transform("max")]
    return complete if len(complete) else mean


def series(mean: pd.DataFrame, quantity: str, k: int = 0) -> pd.Series:
    """One curve of a table of :func:`mean_over_runs`: ``value`` by ``step``."""
    rows = mean[(mean["quantity"] == quantity) & (mean["bin"] == k)]
    return rows.set_index("step")["value"].sort_index()


def last_part(values: pd.Series, first: float, last: float) -> float:
    """Mean over the last 10 % of the steps from ``first`` to ``last``, including the ends; NaN if there is no value."""
    return values[values.index >= last - LAST_PART * (last - first)].mean()


def final(values: pd.Series) -> float:
    """The value of the last step that has one; NaN if there is none."""
    return values.iloc[-1] if len(values) else np.nan


def moments(steps: pd.Index, parts: int = 4) -> list[int]:
    """The first and last step, and the steps nearest to the quarters between them, each once and in order."""
    targets = np.linspace(steps.min(), steps.max(), parts + 1)
    nearest = steps.to_numpy()[np.abs(steps.to_numpy()[:, None] - targets[None, :]).argmin(axis=0)]
    return list(dict.fromkeys(int(step) for step in nearest))


def average_over_sources(by_source: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The unweighted mean of validation over data sources, as the quantity ``validation``, and notes.

    Only sources that every run logged count, so that methods are compared on the same sources. If there are none, each
    run's mean is over all of its own sources. A step counts if it has all of the run's sources.
    """
    notes = []
    per_run = by_source.groupby("run")["quantity"].agg(set)
    common = set.intersection(*per_run) if len(per_run) else set()
    everything = set().union(*per_run)
    if common and common != everything:
        notes.append(f"The mean is over {', '.join(sorted(common))}: not every run validated on the others.")
        by_source = by_source[by_source["quantity"].isin(common)]
    elif everything and not common:
        notes.append("No data set was validated by every run: each mean is over the run's own, which differ.")
    keys = ["method", "run", "step"]
    rates = by_source.groupby([*keys, "quantity"], sort=False)["value"].mean()
    groups = rates.groupby(keys, sort=False)
    wanted = by_source.groupby("run")["quantity"].nunique()
    average = pd.DataFrame({"value": groups.mean(), "count": groups.size()}).reset_index()
    average = average[average["count"] == average["run"].map(wanted)].drop(columns="count")
    return average.assign(quantity=VALIDATION, num_rollouts=0, bin=0), notes
