"""Figure 4: entropy, response length and training reward over steps, all runs."""

from typing import Any

import pandas as pd

from daro_verl.toolkit.report.drawing import curve, new_figure, step_axis, styled, thin
from daro_verl.toolkit.report.method_curves import curves_by_method, tidy_runs
from daro_verl.toolkit.report.metric_names import ENTROPY, RESPONSE_LENGTH, REWARD, scalar_columns
from daro_verl.toolkit.report.run_logs import LoggedRun
from daro_verl.toolkit.report.section import EVERY_TRAINER, Missing, Section, Table, span
from daro_verl.toolkit.report.statistics import centred_mean, final, last_part, series
from daro_verl.toolkit.report.theme import Theme

TITLE = "Entropy, response length and training reward"
PANELS = {
    "entropy": ("entropy", "nats per token"),
    "response_length": ("response length", "tokens"),
    "reward": ("training reward", "mean reward"),
}
FIXES = {
    "entropy": (
        ENTROPY,
        "algorithm.rollout_correction.bypass_mode=False (verl logs it with the old log-probabilities)",
    ),
    "response_length": (RESPONSE_LENGTH, EVERY_TRAINER),
    "reward": (REWARD, EVERY_TRAINER),
}


def sections(runs: list[LoggedRun], alpha: float) -> list[Section]:
    """One section with all runs."""
    data = tidy_runs(runs, lambda history: scalar_columns(history, PANELS))
    missing = [_missing(name, runs, data) for name in PANELS]
    found = tuple(entry for entry in missing if entry.runs)
    if data.empty:
        return [Section(4, "training", TITLE, "", missing=found)]
    numbers, methods = table(data), list(dict.fromkeys(run.method for run in runs))
    several = data.groupby("method")["run"].nunique().max() > 1
    average = " of the mean over a method's seeds, up to the last step that all of them reached" if several else ""
    shown = [title for name, (title, _) in PANELS.items() if (data["quantity"] == name).any()]
    return [
        Section(
            number=4,
            key="training",
            title=TITLE,
            caption=f"Thin: each run as logged. Thick: centred moving mean over a twentieth of the steps{average}.",
            alt=f"Line charts of {', '.join(shown)} over {span(data['step'].min(), data['step'].max())} for "
            f"{', '.join(methods)}.",
            draw=lambda theme: draw(data, methods, theme=theme),
            tables=(Table("Training by run, as logged", numbers),),
            missing=found,
        )
    ]


def _missing(name: str, runs: list[LoggedRun], data: pd.DataFrame) -> Missing:
    logged = set(data.loc[data["quantity"] == name, "run"])
    return Missing(*FIXES[name], tuple(run.name for run in runs if run.name not in logged))


def table(data: pd.DataFrame) -> pd.DataFrame:
    """Final values, and means over the last steps, a row per run."""
    rows = {}
    for run, part in data.groupby("run", sort=False):
        ends, row = (part["step"].min(), part["step"].max()), {}
        for name, (title, measure) in PANELS.items():
            values = part[part["quantity"] == name].set_index("step")["value"]
            if len(values):
                row[f"{title} ({measure}), final"] = final(values.sort_index())
                row[f"{title}, last 10 %"] = last_part(values, *ends)
        rows[run] = {"over": span(*ends)} | row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("run")


@styled
def draw(data: pd.DataFrame, methods: list[str], *, theme: Theme) -> Any:
    """Draw a tidy table, with a panel per logged quantity. ``methods`` sets the order of the colours."""
    shown = [name for name in PANELS if (data["quantity"] == name).any()]
    figure, panels = new_figure(len(shown), height=3.4)
    handles: dict[str, Any] = {}
    for axes, name in zip(panels, shown, strict=True):
        for _, part in data[data["quantity"] == name].groupby("run", sort=False):
            values = part.set_index("step")["value"].sort_index()
            colour = theme.method(methods.index(part["method"].iloc[0]))["color"]
            values = thin(values)
            axes.plot(values.index.to_numpy(), values.to_numpy(), color=colour, linewidth=0.6, alpha=0.4)
        for curves in curves_by_method(data):
            values = centred_mean(series(curves.mean, name))
            if len(values):
                curve(axes, values, label=curves.method, **theme.method(methods.index(curves.method)))
                handles.setdefault(curves.method, axes.lines[-1])
        title, label = PANELS[name]
        axes.set(title=title, ylabel=label)
        step_axis(axes)
    figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=min(len(handles), 5))
    return figure
