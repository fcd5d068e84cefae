"""Figure 2: the loss per pass rate, its on-policy approximation, and the share of each bin in the loss."""

from typing import Any

import pandas as pd

from daro_verl.toolkit.report.drawing import bin_legend, curve, new_figure, step_axis, styled, thin
from daro_verl.toolkit.report.method_curves import MethodCurves, curves_by_method, per_bin_curves, tidy_runs, without
from daro_verl.toolkit.report.metric_names import scalar_columns
from daro_verl.toolkit.report.run_logs import LoggedRun
from daro_verl.toolkit.report.section import PER_BIN, Missing, Section, Table, span
from daro_verl.toolkit.report.statistics import final, last_part, series, smooth
from daro_verl.toolkit.report.theme import Theme

LOSS, ON_POLICY, GAP, SNR, SHARE = "loss", "loss_on_policy", "loss_gap", "loss_snr", "loss_share"
RATIO = "loss_share_ratio"
TITLE = "Loss per pass rate"
COLUMNS = {
    LOSS: "loss",
    ON_POLICY: "on-policy approximation",
    GAP: "relative difference",
    SNR: "loss / deviation",
    SHARE: "share of the loss",
}


def sections(runs: list[LoggedRun], alpha: float) -> list[Section]:
    """A section per method that logged losses or shares. If none did, one section that says what is missing."""
    every_method = per_bin_curves(runs, COLUMNS, shares=SHARE)
    missing = [
        Missing(f"actor/daro/{name}/{{k}}of{{G}}", PER_BIN, absent)
        for name in (LOSS, ON_POLICY, SHARE)
        if (absent := without(runs, every_method, name))
    ]
    drawable = [curves for curves in every_method if curves.quantities() & {LOSS, ON_POLICY, SHARE}]
    if not drawable:
        return [Section(2, "losses", TITLE, "", missing=tuple(missing))]
    ratios = curves_by_method(tidy_runs(runs, lambda history: scalar_columns(history, [RATIO])))
    notes = {ratio.method: _ratio(ratio) for ratio in ratios}
    return [_section(curves, alpha, tuple(missing), notes.get(curves.method, "")) for curves in drawable]


def _section(curves: MethodCurves, alpha: float, missing: tuple[Missing, ...], note: str) -> Section:
    numbers = table(curves)
    late = "; ".join(f"{k} {value:.3g}" for k, value in _late_losses(curves).items())
    return Section(
        number=2,
        key="losses",
        title=TITLE,
        method=curves.method,
        caption=_caption(curves, alpha),
        alt=f"Line chart of the losses of {len(numbers)} difficulty bins over {span(*curves.steps)}."
        + (f" Mean loss over the last tenth of the steps: {late}." if late else ""),
        draw=lambda theme: draw(curves.mean, curves.num_rollouts, alpha, theme=theme),
        tables=(Table("Loss by pass rate, not smoothed", numbers),),
        missing=missing,
        notes=(note,) if note else (),
    )


def _ratio(curves: MethodCurves) -> str:
    values = series(curves.mean, RATIO)
    late = last_part(values, *curves.steps)
    return f"Largest over smallest share: {final(values):.3g} at the end, {late:.3g} over the last 10 % of the steps."


def _caption(curves: MethodCurves, alpha: float) -> str:
    """The caption of the panels that are drawn."""
    found, said = curves.quantities(), []
    if LOSS in found:
        said.append("token mean of the policy loss of each bin, on the steps where the bin was present")
    if ON_POLICY in found:
        said.append("its on-policy approximation mu (1 - mu) (len_neg - len_pos) / len_mean, from lengths and rewards")
    if SHARE in found:
        said.append("share of each bin in the sum of the bins' absolute weighted losses: at equal shares no difficulty "
                    "dominates")  # fmt: skip
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}. Exponentially smoothed with alpha = {alpha:g} ({curves.said_seeds})."


def table(curves: MethodCurves) -> pd.DataFrame:
    """Final loss, and means over the last steps of everything logged, a row per bin."""
    rows, found = {}, [name for name in COLUMNS if name in curves.quantities()]
    for k in curves.bins(*found):
        row = {"final loss": final(series(curves.mean, LOSS, k))} if LOSS in found else {}
        for name in found:
            row[f"{COLUMNS[name]}, last 10 %"] = last_part(series(curves.mean, name, k), *curves.steps)
        rows[f"{k}/{curves.num_rollouts}"] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("pass rate")


def _late_losses(curves: MethodCurves) -> dict[str, float]:
    late = {k: last_part(series(curves.mean, LOSS, k), *curves.steps) for k in curves.bins(LOSS)}
    return {f"{k}/{curves.num_rollouts}": value for k, value in late.items() if value == value}


@styled
def draw(mean: pd.DataFrame, num_rollouts: int, alpha: float, *, theme: Theme) -> Any:
    """Draw a table of :func:`~daro_verl.toolkit.report.statistics.mean_over_runs`, with a panel per quantity."""
    shown = [name for name in (LOSS, ON_POLICY, SHARE) if (mean["quantity"] == name).any()]
    bins = sorted(int(k) for k in mean.loc[mean["quantity"].isin(shown), "bin"].unique())
    colours = dict(zip(bins, theme.ordered(theme.bins, len(bins)), strict=True))
    figure, panels = new_figure(len(shown))
    axes = dict(zip(shown, panels, strict=True))
    titles = {LOSS: "true value", ON_POLICY: "on-policy approximation"}
    for name in titles.keys() & axes.keys():
        for k in bins:
            curve(axes[name], smooth(series(mean, name, k), alpha), color=colours[k])
        axes[name].axhline(0, color=theme.muted, linewidth=0.8, zorder=1)
        axes[name].set(title=titles[name], ylabel="loss per token")
    if LOSS in axes and ON_POLICY in axes:
        axes[ON_POLICY].sharey(axes[LOSS])
        axes[LOSS].autoscale_view()
        axes[ON_POLICY].set_ylabel("")
    if SHARE in axes:
        _draw_shares(axes[SHARE], mean, alpha, colours, theme)
    for panel in panels:
        step_axis(panel)
    bin_legend(figure, colours, num_rollouts)
    return figure


def _draw_shares(axes: Any, mean: pd.DataFrame, alpha: float, colours: dict[int, Any], theme: Theme) -> None:
    """Draw stacked shares. A step's sum can differ from one, because verl averages each share over its updates."""
    rows = mean[mean["quantity"] == SHARE]
    shares = rows.pivot(index="step", columns="bin", values="value").fillna(0).apply(smooth, alpha=alpha)
    shares = thin(shares.div(shares.sum(axis=1), axis=0).fillna(0))
    edge = {"linewidth": 0.4, "edgecolor": theme.background}
    if len(shares) == 1:  # a single step is one step wide
        shares = pd.concat([shares, shares.rename(lambda step: step + 1)])
    stacked = [shares[k].to_numpy() for k in shares.columns]
    axes.stackplot(shares.index.to_numpy(), stacked, colors=[colours[int(k)] for k in shares.columns], **edge)
    axes.set(title="share of the total loss", ylabel="share", ylim=(0, 1))
    axes.set_xlim(shares.index.min(), shares.index.max())
    axes.grid(False)
