"""Figure 5: average pass rates of all methods over training, with a band over seeds."""

from typing import Any

import pandas as pd

from daro_verl.toolkit.report.drawing import curve, new_figure, step_axis, styled
from daro_verl.toolkit.report.metrics import SCORE, scalar_columns, validation_columns
from daro_verl.toolkit.report.reading import Run
from daro_verl.toolkit.report.section import EVERY_TRAINER, Missing, Section, Table, seeds, span
from daro_verl.toolkit.report.statistics import final, last_part, series
from daro_verl.toolkit.report.theme import Theme
from daro_verl.toolkit.report.units import Unit, complete_curve, joined, method_units, tidy_runs
from daro_verl.toolkit.report.validation import VALIDATION, average_over_sources

TITLE = "Pass rates"
TRAINING = "score"
PANELS = {VALIDATION: "validation, mean over data sets", TRAINING: "training score"}
METRIC = "val-core/{data source}/acc/mean@{N}"
FIX = "trainer.test_freq=10 with data.val_files"


def sections(runs: list[Run], alpha: float) -> list[Section]:
    """One section with all runs: validation where it makes a curve, the training score of the other runs."""
    by_source = tidy_runs(runs, validation_columns)
    validation, notes = average_over_sources(by_source)
    curves = {run for run, steps in validation.groupby("run")["step"].nunique().items() if steps > 1}
    rest = [run for run in runs if run.name not in curves]
    scores = tidy_runs(rest, lambda history: scalar_columns(history, [TRAINING]))
    missing = _missing(runs, rest, set(validation["run"]), set(scores["run"]))
    data = joined([validation, scores])
    if data.empty:
        return [Section(5, "pass_rates", TITLE, "", missing=missing)]
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
            alt=f"Line chart of pass rates over {span(data['step'].min(), data['step'].max())}. Final: {ends}.",
            draw=lambda theme: draw(units, methods, theme=theme),
            tables=tuple(tables),
            missing=missing,
            notes=tuple(notes),
        )
    ]


def _missing(runs: list[Run], rest: list[Run], validated: set[str], scored: set[str]) -> tuple[Missing, ...]:
    found = [
        Missing(METRIC, FIX, tuple(run.name for run in runs if run.name not in validated)),
        Missing(SCORE, EVERY_TRAINER, tuple(run.name for run in rest if run.name not in scored)),
    ]
    return tuple(entry for entry in found if entry.runs)


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
                "best at step": int(values.index[int(values.argmax())]),
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
                points, style = complete_curve(unit, name), theme.method(methods.index(unit.method))
                _curve_with_band(axes, points, f"{unit.method} ({seeds(int(points['count'].max()))})", style)
        axes.set(title=PANELS[name], ylabel="pass rate" if name == VALIDATION else "mean score")
        step_axis(axes)
    handles = {line.get_label(): line for axes in panels for line in axes.lines}
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
