"""Figure 6: how the difficulty of the prompts changes, and how well it is predicted. Ours, not the paper's."""

from typing import Any

import pandas as pd

from daro_verl.toolkit.report.drawing import curve, new_figure, step_axis, styled
from daro_verl.toolkit.report.metric_names import SCALARS
from daro_verl.toolkit.report.prompt_kinds import without_empty
from daro_verl.toolkit.report.run_logs import LoggedRun
from daro_verl.toolkit.report.section import Missing, Section, Table
from daro_verl.toolkit.report.theme import Theme

TITLE = "Prompts by difficulty"
LINES = {"informative": "actual", "informative_predicted": "predicted"}
NUMBERS = ("informative", "informative_predicted", "brier")
TOKENS = ("generated", "trained", "discarded", "not_generated")
FIX = "algorithm.adv_estimator=daro +algorithm.daro.metrics=all, with one of verl's V1 trainers"
SAVED = "trainer.save_freq=N, and the folder that has the checkpoints"


def sections(runs: list[LoggedRun], alpha: float) -> list[Section]:
    """A section per run with data on its prompts. If there is none, one section that says what is missing."""
    found = [run for run in runs if len(run.prompts) or SCALARS["informative"] in run.history]
    if not found:
        missing = Missing(SCALARS["informative"], FIX, tuple(run.name for run in runs))
        return [Section(6, "prompts", TITLE, "", missing=(missing,))]
    return [_section(run) for run in found]


def _section(run: LoggedRun) -> Section:
    kinds, lines = without_empty(run.prompts), _lines(run.history)
    missing = [] if len(kinds) else [Missing("daro_prompts.parquet in its checkpoints", SAVED, (run.name,))]
    missing += [] if len(lines) else [Missing(SCALARS["informative"], FIX, (run.name,))]
    tables = [Table("Prompts by predicted pass rate, checkpoint by checkpoint", kinds.T)] if len(kinds) else []
    tables += [Table("Groups with both right and wrong responses, and tokens in all", numbers(run.history))]
    ends = "; ".join(f"{name} {count}" for name, count in kinds.iloc[-1].items()) if len(kinds) else "not saved"
    return Section(
        number=6,
        key="prompts",
        title=TITLE,
        method=run.name,
        caption="Left: the prompts that the job knows, by how often they were solved and by their predicted pass "
        "rate, in every checkpoint that is still there. Right: share of the groups with both right and "
        "wrong responses. `daro data difficulty` writes the prompts of a band to a file.",
        alt=f"Stacked areas of prompts by difficulty. At the end: {ends}.",
        draw=(lambda theme: draw(kinds, lines, theme=theme)) if len(kinds) or len(lines) else None,
        tables=tuple(table for table in tables if len(table.data)),
        missing=tuple(missing),
    )


def _lines(history: pd.DataFrame) -> pd.DataFrame:
    """Columns ``informative`` and ``informative_predicted`` where they were logged, by step."""
    found = {name: history[SCALARS[name]] for name in LINES if SCALARS[name] in history}
    return pd.DataFrame(found).dropna(how="all")


def numbers(history: pd.DataFrame) -> pd.DataFrame:
    """Means of :data:`NUMBERS` over the first and the last tenth of the steps, and tokens at the end."""
    rows = {}
    for name in NUMBERS:
        if SCALARS[name] in history:
            values = history[SCALARS[name]].dropna()
            part = max(1, len(values) // 10)
            rows[name.replace("_", ", ")] = {"first tenth": values[:part].mean(), "last tenth": values[-part:].mean()}
    for name in TOKENS:
        if SCALARS[f"tokens_{name}"] in history:
            rows[f"tokens {name.replace('_', ' ')}"] = {
                "at the end": history[SCALARS[f"tokens_{name}"]].dropna().iloc[-1]
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("")


@styled
def draw(kinds: pd.DataFrame, lines: pd.DataFrame, *, theme: Theme) -> Any:
    """Draw ``kinds`` as stacked areas and ``lines`` as curves, with a panel for each table that has rows."""
    figure, panels = new_figure(bool(len(kinds)) + bool(len(lines)), height=3.4)
    if len(kinds):
        axes = panels[0]
        colours = theme.ordered(theme.bins, kinds.shape[1])
        steps = kinds.index.to_numpy()
        if len(kinds) == 1:  # an area needs two ends
            axes.bar(
                steps.repeat(kinds.shape[1]),
                kinds.iloc[0],
                0.5,
                kinds.iloc[0].cumsum().shift(fill_value=0),
                color=colours,
            )
        else:
            axes.stackplot(steps, kinds.to_numpy(float).T, colors=colours)
        axes.set(title="prompts that the job knows", ylabel="prompts", ylim=(0, kinds.sum(axis=1).max()))
        step_axis(axes)
        handles = [_patch(colour, str(name)) for colour, name in zip(colours, kinds, strict=True)]
        figure.legend(handles=handles[::-1], loc="outside left center", title="predicted pass rate")
    if len(lines):
        axes = panels[-1]
        for number, (name, label) in enumerate(LINES.items()):
            if name in lines:
                curve(axes, lines[name].dropna(), label=label, **theme.method(number))
        axes.set(title="informative groups", ylabel="share of groups", ylim=(0, 1))
        step_axis(axes)
        axes.legend()
    return figure


def _patch(colour: Any, label: str) -> Any:
    from matplotlib.patches import Patch

    return Patch(color=colour, label=label)
