"""Compare runs side by side, each with the first, problem by problem."""

import re
from dataclasses import dataclass
from pathlib import Path

from daro_verl.errors import DaroConfigError, DaroDataError
from daro_verl.toolkit.evaluation.estimates import MeanWithError, macro_average, mean_over_problems, paired_difference
from daro_verl.toolkit.evaluation.report_files import percent
from daro_verl.toolkit.evaluation.row_file import ROWS, read_rows
from daro_verl.toolkit.evaluation.settings import (
    COMPARED,
    Settings,
    check_seeding,
    describe_differences,
    read_settings,
)
from daro_verl.toolkit.evaluation.summary import LONG, figures, repeated

Values = dict[str, dict[str, float]]  # a table line's first cell: the values of problems by their key


@dataclass(frozen=True)
class FinishedRun:
    """A finished run.

    ``means``: mean@n of benchmarks. ``others``: pass@k and maj@n of benchmarks. ``repeated``: number of long responses
    that repeat another response to their problem.
    """

    name: str
    settings: Settings
    means: Values
    others: Values
    repeated: int


def read_run(argument: str) -> FinishedRun:
    """Read ``FOLDER`` or ``NAME=FOLDER``.

    Raises:
        DaroDataError: there is no run, or it is not finished, or its responses may not be independent.
    """
    name, separator, path = argument.partition("=")
    if Path(argument).is_dir() or not separator:
        name, path = Path(argument).name, argument
    folder = Path(path)
    settings = read_settings(folder)
    check_seeding(str(folder), settings)
    if not (folder / "report.json").is_file():
        fix = "run the same evaluation again: it goes on where it stopped"
        raise DaroDataError(str(folder), got="no report.json", expected="a finished run", fix=fix)
    means: Values = {}
    others: Values = {}
    rows = read_rows(folder / ROWS).values()
    for row in rows:
        for figure, value in figures(row).items():
            is_mean = figure.startswith("mean@")
            name_of_line = row.benchmark if is_mean else f"{row.benchmark} {figure}"
            (means if is_mean else others).setdefault(name_of_line, {})[row.key] = value
    return FinishedRun(name, settings, means, others, sum(map(repeated, rows)))


def comparison(runs: list[FinishedRun]) -> str:
    """The comparison in Markdown.

    It has mean@n of each run, and each run's difference to the first with its 95 % interval. Then it has both for
    pass@k and maj@n.

    All figures are means over problems. Each difference is taken within each problem before averaging. Its interval is
    Student's, ``mean -+ t s / sqrt(P)``, with the standard deviation ``s`` of the ``P`` differences. The average counts
    each benchmark the same. Intervals are not corrected for their number. If checkpoints are of different steps, a line
    above the tables says so.

    Raises:
        DaroError: there are fewer than two runs, or names are equal, or problems or sampling differ.
    """
    _check(runs)
    names = [run.name for run in runs]
    lines = _warnings(runs) + _tables("mean@n", names, [run.means for run in runs], with_average=True)
    if runs[0].others:
        lines += ["", *_tables("pass@k, maj@n", names, [run.others for run in runs], with_average=False)]
    lines += ["", "Points of each figure, paired by problem. Student's intervals, not corrected for their number."]
    if len(backends := sorted({run.settings.backend for run in runs})) > 1:
        lines += ["", f"The runs are from different engines: {', '.join(backends)}."]
    return "\n".join(lines) + "\n"


def _tables(title: str, names: list[str], values: list[Values], with_average: bool) -> list[str]:
    """The values of all runs, then differences to the first."""
    means = [{name: mean_over_problems(list(of.values())) for name, of in run.items()} for run in values]
    differences = [
        {name: paired_difference(list(of.values()), [run[name][key] for key in of]) for name, of in values[0].items()}
        for run in values[1:]
    ]
    if with_average:
        for found in means + differences:
            found["average"] = macro_average(list(found.values()))
    lines = [_line(f"{title} in %, ± standard error", names), "| --- |" + " --- |" * len(names)]
    lines += [_line(name, [percent(run[name]) for run in means]) for name in means[0]]
    lines += ["", _line(f"difference to {names[0]}, 95 % interval", names[1:]), "| --- |" + " --- |" * len(differences)]
    return lines + [_line(name, [_interval(run[name]) for run in differences]) for name in means[0]]


def _warnings(runs: list[FinishedRun]) -> list[str]:
    """Warnings if checkpoints (``.../global_step_N/...``) are of different steps, or if responses repeat each other.

    A base model has no step.
    """
    found = {run.name: re.findall(r"global_step_(\d+)", run.settings.model) for run in runs}
    steps = {name: int(numbers[-1]) for name, numbers in found.items() if numbers}
    lines = []
    if len(set(steps.values())) > 1:
        named = ", ".join(f"{name} {step}" for name, step in steps.items())
        text = f"the checkpoints are of different steps: {named}. Name global_step_N to evaluate one"
        lines += [f"**WARNING: {text}.**", ""]
    if twice := ", ".join(f"{run.name} {run.repeated}" for run in runs if run.repeated):
        text = f"responses of {LONG} or more tokens that repeat another one to their problem: {twice}"
        lines += [f"**WARNING: {text}.**", ""]
    return lines


def _check(runs: list[FinishedRun]) -> None:
    if len(runs) < 2 or len({run.name for run in runs}) < len(runs):
        names, fix = [run.name for run in runs], "name each run: baseline=FOLDER daro=FOLDER"
        raise DaroConfigError("compare", got=names, expected="two or more runs with their own names", fix=fix)
    first = runs[0]
    for run in runs[1:]:
        for name, expected, got in describe_differences(first.settings, run.settings, COMPARED):
            fix = "evaluate both on the same file and with the same settings"
            raise DaroDataError(f"{name} of {run.name}", got=got, expected=f"{expected!r}, as in {first.name}", fix=fix)
        if {name: set(rates) for name, rates in run.means.items()} != {n: set(r) for n, r in first.means.items()}:
            got, fix = f"{sum(map(len, run.means.values()))} problems", "evaluate both on the same file"
            raise DaroDataError(f"rows of {run.name}", got=got, expected=f"the problems of {first.name}", fix=fix)


def _interval(difference: MeanWithError) -> str:
    low, high = difference.interval()
    if low != low:
        return f"{100 * difference.mean:+.1f} (one problem: no interval)"
    return f"{100 * difference.mean:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def _line(name: str, cells: list[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"
