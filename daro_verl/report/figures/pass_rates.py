"""Figure 5: average pass rates of all methods over training, with a band over seeds."""

from typing import Any

import pandas as pd

from daro_verl.report.drawing import curve, new_figure, step_axis, styled
from daro_verl.report.metrics import SCORE, scalar_columns, validation_columns
from daro_verl.report.reading import Run
from daro_verl.report.section import Missing, Section, Table, seeds
from daro_verl.report.statistics import final, last_part, series
from daro_verl.report.theme import Theme
from daro_verl.report.units import Unit, complete_curve, method_units, tidy_runs

TITLE = "Pass rates"
VALIDATION, TRAINING = "validation", "score"
PANELS = {VALIDATION: "validation, mean over data sets", TRAINING: "training score"}
METRIC = "val-core/{data source}/acc/mean@{N}"
FIX = "trainer.test_freq=10 with data.val_files"


def sections(runs: list[Run], alpha: float) -> list[Section]:
    """One section with all runs: validation where a run logged it, else its training score."""
    by_source = tidy_runs(runs, validation_columns)
    data, notes = average_over_sources(by_source)
    validated = set(data["run"])
    missing = [Missing(METRIC, FIX, tuple(run.name for run in runs if run.name not in validated))]
    scores = tidy_runs(
        [run for run in runs if run.name not in validated], lambda table: scalar_columns(table, [TRAINING])
    )
    scored = set(scores["run"])
    missing.append(Missing(SCORE, "trainer.logger=[console,file] (every trainer of verl logs it)",
                           tuple(run.name for run in runs if run.name not in validated | scored)))  # fmt: skip
    found, data = tuple(entry for entry in missing if entry.runs), pd.concat([data, scores], ignore_index=True)
    if data.empty:
        return [Section(5, "pass_rates", TITLE, "", missing=found)]
    units, methods = method_units(data), list(dict.fromkeys(run.method for run in runs))
    numbers = table(units)
    tables = [Table("Pass rate by method", numbers)]
    if by_source["quantity"].nunique() > 1:
        tables.append(Table("Final validation by data set", table_by_source(method_units(by_source))))
    ends = "; ".join(f"{name} {value:.3g}" for name, value in numbers["final"].items())
    return [
        Section(
            number=5,
            key="pass_rates",
            title=TITLE,
            caption=_caption(units),
            alt=f"Line chart of pass rates over steps {data['step'].min()} to {data['step'].max()}. Final: {ends}.",
            draw=lambda theme: draw(units, methods, theme=theme),
            tables=tuple(tables),
            missing=found,
            notes=tuple(notes),
        )
    ]


def average_over_sources(by_source: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Validation as the unweighted mean over data sources, as quantity ``validation``, and notes.

    Only sources that every run logged count, so that methods are compared on the same; all of a run's own where there
    are no such. A step counts if it has all of the run's sources.
    """
    common, notes = set(by_source["quantity"]), []
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


def _caption(units: list[Unit]) -> str:
    shown = {name for unit in units for name in unit.quantities()}
    what = "; ".join(text for name, text in PANELS.items() if name in shown)
    single = [unit.method for unit in units if len(unit.runs) == 1]
    several = [f"{unit.method} ({seeds(len(unit.runs))})" for unit in units if len(unit.runs) > 1]
    band = (
        f" Mean and, as a band, plus and minus one standard error over seeds: {', '.join(several)}." if several else ""
    )
    no_band = f" A single seed has no band: {', '.join(single)}." if single else ""
    return f"{what[0].upper()}{what[1:]}.{band}{no_band}"


def table(units: list[Unit]) -> pd.DataFrame:
    """A row per method and quantity: the end of its curve, its best step, its late mean."""
    rows = {}
    for unit in units:
        for name in sorted(unit.quantities(), reverse=True):
            points = complete_curve(unit, name)
            values = points["value"]
            rows[unit.method, PANELS[name]] = {
                "seeds": int(points["count"].max()),
                "first": values.iloc[0],
                "final": final(values),
                "standard error": final(points["error"]),
                "at step": int(values.index[-1]),
                "best": values.max(),
                "best at step": int(values.idxmax()),
                "mean of last 10 %": last_part(values, *unit.steps),
            }
    result = pd.DataFrame.from_dict(rows, orient="index")
    one_measure = len({measure for _, measure in rows}) == 1
    result.index = pd.Index(
        [method if one_measure else f"{method}, {measure}" for method, measure in rows], name="method"
    )
    return result


def table_by_source(units: list[Unit]) -> pd.DataFrame:
    """Final validation, a row per data source and a column per method."""
    names = sorted({name for unit in units for name in unit.quantities()})
    columns = {unit.method: [final(series(unit.mean, name)) for name in names] for unit in units}
    return pd.DataFrame(columns, index=pd.Index(names, name="data set"))


@styled
def draw(units: list[Unit], methods: list[str], *, theme: Theme) -> Any:
    """The figure of the methods' means, a panel per quantity logged. ``methods`` fixes their colours."""
    shown = [name for name in PANELS if any(name in unit.quantities() for unit in units)]
    figure, panels = new_figure(len(shown), height=4.0)
    for axes, name in zip(panels, shown, strict=True):
        for unit in units:
            if name in unit.quantities():
                style = theme.method(methods.index(unit.method))
                _curve_with_band(axes, complete_curve(unit, name), f"{unit.method} ({seeds(len(unit.runs))})", style)
        axes.set(title=PANELS[name], ylabel="pass rate" if name == VALIDATION else "mean score")
        step_axis(axes)
    handles = {axes.get_label(): axes for panel in panels for axes in panel.lines}
    figure.legend(handles=list(handles.values()), loc="outside right center")
    return figure


def _curve_with_band(axes: Any, points: pd.DataFrame, label: str, style: dict) -> None:
    curve(axes, points["value"], label=label, **style)
    banded = points.dropna()
    low, high = banded["value"] - banded["error"], banded["value"] + banded["error"]
    if len(banded):
        axes.fill_between(
            banded.index.to_numpy(), low.to_numpy(), high.to_numpy(), color=style["color"], alpha=0.18, lw=0
        )
