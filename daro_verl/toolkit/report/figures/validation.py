"""Figure 5: average pass rates of all methods over training, with a band over seeds."""

from typing import Any

import pandas as pd

from daro_verl.toolkit.report.drawing import curve, new_figure, step_axis, styled
from daro_verl.toolkit.report.method_curves import MethodCurves, complete_curve, curves_by_method, joined, tidy_runs
from daro_verl.toolkit.report.metric_names import SCORE, scalar_columns, validation_columns
from daro_verl.toolkit.report.run_logs import LoggedRun
from daro_verl.toolkit.report.section import EVERY_TRAINER, Missing, Section, Table, seeds, span
from daro_verl.toolkit.report.statistics import VALIDATION, average_over_sources, final, last_part, series
from daro_verl.toolkit.report.theme import Theme

TITLE = "Pass rates"
TRAINING = "score"
PANELS = {VALIDATION: "validation, mean over data sets", TRAINING: "training score"}
METRIC = "val-core/{data source}/acc/mean@{N}"
FIX = "trainer.test_freq=10 with data.val_files"


def sections(runs: list[LoggedRun], alpha: float) -> list[Section]:
    """One section with all runs. A run without a curve of validation shows its training score."""
    by_source = tidy_runs(runs, validation_columns)
    validation, notes = average_over_sources(by_source)
    enough = {run for run, steps in validation.groupby("run")["step"].nunique().items() if steps > 1}
    rest = [run for run in runs if run.name not in enough]
    scores = tidy_runs(rest, lambda history: scalar_columns(history, [TRAINING]))
    missing = _missing(runs, rest, set(validation["run"]), set(scores["run"]))
    data = joined([validation, scores])
    if data.empty:
        return [Section(5, "pass_rates", TITLE, "", missing=missing)]
    every_method, methods = curves_by_method(data), list(dict.fromkeys(run.method for run in runs))
    numbers = table(every_method)
    tables = [Table("Pass rate by method", numbers)]
    if by_source["quantity"].nunique() > 1:
        tables.append(Table("Final validation by data set", table_by_source(curves_by_method(by_source))))
    ends = "; ".join(f"{name} {value:.3g}" for name, value in numbers["final"].items())
    return [
        Section(
            number=5,
            key="pass_rates",
            title=TITLE,
            caption=_caption(every_method),
            alt=f"Line chart of pass rates over {span(data['step'].min(), data['step'].max())}. Final: {ends}.",
            draw=lambda theme: draw(every_method, methods, theme=theme),
            tables=tuple(tables),
            missing=missing,
            notes=tuple(notes),
        )
    ]


def _missing(
    runs: list[LoggedRun], rest: list[LoggedRun], validated: set[str], scored: set[str]
) -> tuple[Missing, ...]:
    found = [
        Missing(METRIC, FIX, tuple(run.name for run in runs if run.name not in validated)),
        Missing(SCORE, EVERY_TRAINER, tuple(run.name for run in rest if run.name not in scored)),
    ]
    return tuple(entry for entry in found if entry.runs)


def _caption(every_method: list[MethodCurves]) -> str:
    shown = {name for curves in every_method for name in curves.quantities()}
    what = "; ".join(text for name, text in PANELS.items() if name in shown)
    single = [curves.method for curves in every_method if len(curves.runs) == 1]
    several = [f"{curves.method} ({seeds(len(curves.runs))})" for curves in every_method if len(curves.runs) > 1]
    band = (
        f" Mean and, as a band, plus and minus one standard error over seeds: {', '.join(several)}." if several else ""
    )
    no_band = f" A single seed has no band: {', '.join(single)}." if single else ""
    return f"{what[0].upper()}{what[1:]}.{band}{no_band}"


def table(every_method: list[MethodCurves]) -> pd.DataFrame:
    """A row per method and quantity: the end of its curve, its best step, its mean over the last steps."""
    rows = {}
    for curves in every_method:
        for name in sorted(curves.quantities(), reverse=True):
            points = complete_curve(curves, name)
            values = points["value"]
            rows[curves.method, PANELS[name]] = {
                "seeds": int(points["count"].max()),
                "first": values.iloc[0],
                "final": final(values),
                "standard error": final(points["error"]),
                "at step": int(values.index[-1]),
                "best": values.max(),
                "best at step": int(values.index[int(values.argmax())]),
                "mean of last 10 %": last_part(values, *curves.steps),
            }
    result = pd.DataFrame.from_dict(rows, orient="index")
    one_measure = len({measure for _, measure in rows}) == 1
    result.index = pd.Index(
        [method if one_measure else f"{method}, {measure}" for method, measure in rows], name="method"
    )
    return result


def table_by_source(every_method: list[MethodCurves]) -> pd.DataFrame:
    """Final validation, a row per data source and a column per method."""
    names = sorted({name for curves in every_method for name in curves.quantities()})
    columns = {curves.method: [final(series(curves.mean, name)) for name in names] for curves in every_method}
    return pd.DataFrame(columns, index=pd.Index(names, name="data set"))


@styled
def draw(every_method: list[MethodCurves], methods: list[str], *, theme: Theme) -> Any:
    """Draw the methods' means, with a panel per logged quantity. ``methods`` sets the order of the colours."""
    shown = [name for name in PANELS if any(name in curves.quantities() for curves in every_method)]
    figure, panels = new_figure(len(shown), height=4.0)
    for axes, name in zip(panels, shown, strict=True):
        for curves in every_method:
            if name in curves.quantities():
                points, style = complete_curve(curves, name), theme.method(methods.index(curves.method))
                _curve_with_band(axes, points, f"{curves.method} ({seeds(int(points['count'].max()))})", style)
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
