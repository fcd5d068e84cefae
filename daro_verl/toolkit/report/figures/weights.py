"""Figure 1: difficulty weights over training, and their distribution over bins at a few moments."""

from typing import Any

import pandas as pd

from daro_verl.toolkit.report.drawing import (
    bin_legend,
    curve,
    new_figure,
    pass_rate_axis,
    step_axis,
    styled,
    value_axis,
)
from daro_verl.toolkit.report.method_curves import MethodCurves, per_bin_curves, without
from daro_verl.toolkit.report.run_logs import LoggedRun
from daro_verl.toolkit.report.section import PER_BIN, Missing, Section, Table, span
from daro_verl.toolkit.report.statistics import final, last_part, moments, series
from daro_verl.toolkit.report.theme import Theme

QUANTITY = "weight"
SHARES = {"response_share": "share of responses", "prompt_share": "share of prompts"}  # the first that was logged
TITLE = "Difficulty weights"
METRIC = "actor/daro/weight/{k}of{G}"


def sections(runs: list[LoggedRun], alpha: float) -> list[Section]:
    """A section per method that logged weights. If none did, one section that says what is missing."""
    every_method = [curves for curves in per_bin_curves(runs, [QUANTITY, *SHARES]) if QUANTITY in curves.quantities()]
    absent = without(runs, every_method, QUANTITY)
    missing = (Missing(METRIC, PER_BIN, absent),) if absent else ()
    if not every_method:
        return [Section(1, "weights", TITLE, "", missing=missing)]
    return [_section(curves, missing) for curves in every_method]


def _section(curves: MethodCurves, missing: tuple[Missing, ...]) -> Section:
    numbers = table(curves)
    ends = "; ".join(f"{name} {value:.3g}" for name, value in numbers["final"].items())
    return Section(
        number=1,
        key="weights",
        title=TITLE,
        method=curves.method,
        caption=f"Left: weight of each difficulty bin after every training step ({curves.said_seeds}). Right: the "
        "weights over the pass rate, at the first and last step and at the quarters between them. With the paper's "
        "objective, the optimum is one over the bin's loss. So a bin with a small loss gets a large weight.",
        alt=f"Line chart of {len(numbers)} difficulty weights over {span(*curves.steps)}. Final weights: {ends}.",
        draw=lambda theme: draw(curves.mean, curves.num_rollouts, theme=theme),
        tables=(Table("Difficulty weight by pass rate", numbers),),
        missing=missing,
    )


def table(curves: MethodCurves) -> pd.DataFrame:
    """First, final and late weights, and the late share of responses with this pass rate, a row per bin."""
    rows, share = {}, next((name for name in SHARES if name in curves.quantities()), None)
    for k in curves.bins(QUANTITY):
        values = series(curves.mean, QUANTITY, k)
        late = last_part(values, *curves.steps)
        row = {"first": values.iloc[0], "final": final(values), "mean of last 10 %": late}
        if share is not None:
            row[f"{SHARES[share]}, last 10 %"] = last_part(series(curves.mean, share, k), *curves.steps)
        rows[f"{k}/{curves.num_rollouts}"] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("pass rate")


@styled
def draw(mean: pd.DataFrame, num_rollouts: int, *, theme: Theme) -> Any:
    """Draw a table of :func:`~daro_verl.toolkit.report.statistics.mean_over_runs`, quantity ``weight``."""
    mean = mean[mean["quantity"] == QUANTITY]
    bins = sorted(int(k) for k in mean["bin"].unique())
    colours = dict(zip(bins, theme.ordered(theme.bins, len(bins)), strict=True))
    figure, (over_steps, over_bins) = new_figure(2, share_y=True, ratios=(1.35, 1))
    for k in bins:
        curve(over_steps, series(mean, QUANTITY, k), color=colours[k])
    over_steps.set(title="over training", ylabel="difficulty weight")
    step_axis(over_steps)
    value_axis(over_steps, mean["value"].to_numpy())
    by_step = mean.pivot(index="step", columns="bin", values="value")
    chosen = moments(by_step.index)
    handles = []
    for step, colour in zip(chosen, theme.ordered(theme.moments, len(chosen)), strict=True):
        row = by_step.loc[step].dropna()
        handles += over_bins.plot(row.index, row, "o-", color=colour, label=f"step {step}")
    over_bins.set(title="over pass rates")
    pass_rate_axis(over_bins, bins, num_rollouts)
    bin_legend(figure, colours, num_rollouts, handles)
    return figure
