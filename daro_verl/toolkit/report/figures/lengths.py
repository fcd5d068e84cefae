"""Figure 3: lengths of correct and incorrect responses per bin, normalised by the batch's total length."""

from typing import Any

import pandas as pd

from daro_verl.toolkit.report.drawing import new_figure, pass_rate_axis, styled
from daro_verl.toolkit.report.method_curves import MethodCurves, per_bin_curves, without
from daro_verl.toolkit.report.run_logs import LoggedRun
from daro_verl.toolkit.report.section import PER_BIN, Missing, Section, Table, span
from daro_verl.toolkit.report.statistics import last_part, series
from daro_verl.toolkit.report.theme import Theme

TITLE = "Lengths of correct and incorrect responses"
SHARES = ("token_share_right", "token_share_wrong")
LENGTHS = ("length_right", "length_wrong")
NAMES = ("correct", "incorrect")
PANELS = {
    SHARES: ("normalised length", "share of the batch's response tokens"),
    LENGTHS: ("mean length", "tokens per response"),
}


def sections(runs: list[LoggedRun], alpha: float) -> list[Section]:
    """A section per method that logged lengths. If none did, one section that says what is missing."""
    every_method = per_bin_curves(runs, SHARES + LENGTHS)
    missing = [
        Missing(f"actor/daro/{name}/{{k}}of{{G}}", PER_BIN, absent)
        for name in SHARES + LENGTHS
        if (absent := without(runs, every_method, name))
    ]
    if not every_method:
        return [Section(3, "lengths", TITLE, "", missing=tuple(missing))]
    return [_section(curves, tuple(missing)) for curves in every_method]


def _section(curves: MethodCurves, missing: tuple[Missing, ...]) -> Section:
    numbers, said = table(curves), []
    if curves.quantities() & set(SHARES):
        said.append("tokens of a bin's correct and incorrect responses over all response tokens of the mini-batch")
    if curves.quantities() & set(LENGTHS):
        said.append("mean number of tokens of a correct and of an incorrect response")
    text = "; ".join(said)
    return Section(
        number=3,
        key="lengths",
        title=TITLE,
        method=curves.method,
        caption=f"{text[0].upper()}{text[1:]}. Bars: mean over {span(*curves.steps)}. Whiskers: the middle half "
        f"of the steps ({curves.said_seeds}). On policy, a bin's loss is positive if its incorrect responses are "
        "longer than its correct ones.",
        alt=f"Bar chart of correct and incorrect response lengths in {len(numbers)} difficulty bins.",
        draw=lambda theme: draw(curves.mean, curves.num_rollouts, theme=theme),
        tables=(Table("Lengths by pass rate", numbers),),
        missing=missing,
    )


def table(curves: MethodCurves) -> pd.DataFrame:
    """Means over all steps and over the last steps, a row per bin."""
    rows = {}
    for k in curves.bins(*SHARES, *LENGTHS):
        row = {}
        for pair, (title, _) in PANELS.items():
            for quantity, name in zip(pair, NAMES, strict=True):
                if quantity in curves.quantities():
                    values = series(curves.mean, quantity, k)
                    row[f"{title}, {name}"] = values.mean()
                    row[f"{title}, {name}, last 10 %"] = last_part(values, *curves.steps)
        rows[f"{k}/{curves.num_rollouts}"] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("pass rate")


@styled
def draw(mean: pd.DataFrame, num_rollouts: int, *, theme: Theme) -> Any:
    """Draw a table of :func:`~daro_verl.toolkit.report.statistics.mean_over_runs`, with a panel per logged pair."""
    found = set(mean["quantity"])
    shown = [pair for pair in PANELS if found & set(pair)]
    figure, panels = new_figure(len(shown))
    bins = sorted(int(k) for k in mean.loc[mean["quantity"].isin(SHARES + LENGTHS), "bin"].unique())
    for axes, pair in zip(panels, shown, strict=True):
        for index, quantity in enumerate(pair):
            _bars(axes, mean, quantity, bins, index, theme)
        title, label = PANELS[pair]
        axes.set(title=title, ylabel=label)
        axes.grid(axis="x", visible=False)
        pass_rate_axis(axes, bins, num_rollouts)
    figure.legend(handles=_handles(theme), loc="outside right center")
    return figure


def _bars(axes: Any, mean: pd.DataFrame, quantity: str, bins: list[int], index: int, theme: Theme) -> None:
    """Draw the bars of one quantity, beside the other's, with whiskers over the quartiles of the steps."""
    spread = {k: series(mean, quantity, k) for k in bins}
    spread = {k: values for k, values in spread.items() if len(values)}
    centre = [values.mean() for values in spread.values()]
    low = [max(0.0, values.mean() - values.quantile(0.25)) for values in spread.values()]
    high = [max(0.0, values.quantile(0.75) - values.mean()) for values in spread.values()]
    places = [k + 0.4 * (index - 0.5) for k in spread]
    whiskers = {"ecolor": theme.ink, "elinewidth": 1, "capsize": 2}
    axes.bar(places, centre, 0.36, yerr=[low, high], error_kw=whiskers, **_style(theme, index))


def _handles(theme: Theme) -> list[Any]:
    from matplotlib.patches import Patch

    return [Patch(label=name, **_style(theme, index)) for index, name in enumerate(NAMES)]


def _style(theme: Theme, index: int) -> dict:
    """The style of a bar. Hatching and colour both tell the quantities apart."""
    return {
        "facecolor": theme.methods[index],
        "hatch": ("", "///")[index],
        "edgecolor": theme.background,
        "linewidth": 0,
    }
