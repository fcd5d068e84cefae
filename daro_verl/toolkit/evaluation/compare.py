"""Runs side by side, each against the first, problem by problem."""

import re
from dataclasses import dataclass
from pathlib import Path

from daro_verl.errors import DaroConfigError, DaroDataError
from daro_verl.toolkit.evaluation.report_files import percent
from daro_verl.toolkit.evaluation.row_file import ROWS, read_rows
from daro_verl.toolkit.evaluation.settings import COMPARED, Settings, describe_differences, read_settings
from daro_verl.toolkit.evaluation.summary import (
    MeanWithError,
    macro_average,
    mean_over_problems,
    paired_difference,
    pass_rate,
)


@dataclass(frozen=True)
class FinishedRun:
    """A finished run. ``rates``: of benchmarks, of problems by their key."""

    name: str
    settings: Settings
    rates: dict[str, dict[str, float]]


def read_run(argument: str) -> FinishedRun:
    """``FOLDER`` or ``NAME=FOLDER``.

    Raises:
        DaroDataError: no run, or one that is not finished.
    """
    name, separator, path = argument.partition("=")
    folder = Path(path if separator else argument)
    settings = read_settings(folder)
    if not (folder / "report.json").is_file():
        fix = "run the same evaluation again: it goes on where it was"
        raise DaroDataError(str(folder), got="no report.json", expected="a finished run", fix=fix)
    rates: dict[str, dict[str, float]] = {}
    for row in read_rows(folder / ROWS).values():
        rates.setdefault(row.benchmark, {})[row.key] = pass_rate(row)
    return FinishedRun(name if separator else folder.name, settings, rates)


def comparison(runs: list[FinishedRun]) -> str:
    """Markdown: mean@k of each run, then each run's difference to the first with its 95 % interval.

    Both are means over problems; the difference is taken within each problem before averaging, and its interval is
    ``mean -+ 1.96 s / sqrt(P)`` with the standard deviation ``s`` of the ``P`` differences. The average counts each
    benchmark the same. Intervals are not corrected for how many there are. Checkpoints of different steps are said
    above the tables.

    Raises:
        DaroError: fewer than two runs, equal names, other problems or other sampling.
    """
    _check(runs)
    first = runs[0]
    means = {run.name: _means(run) for run in runs}
    lines = _warning(runs)
    lines += [_line("mean@k in %, ± standard error", [run.name for run in runs]), "| --- |" + " --- |" * len(runs)]
    for benchmark in [*first.rates, "average"]:
        lines.append(_line(benchmark, [percent(means[run.name][benchmark]) for run in runs]))
    others = [(run, _differences(first, run)) for run in runs[1:]]
    lines += ["", _line(f"difference to {first.name}, 95 % interval", [run.name for run, _ in others])]
    lines.append("| --- |" + " --- |" * len(others))
    for benchmark in [*first.rates, "average"]:
        lines.append(_line(benchmark, [_interval(differences[benchmark]) for _, differences in others]))
    lines += ["", "Points of mean@k, paired by problem; normal intervals, not corrected for their number."]
    if len(backends := sorted({run.settings.backend for run in runs})) > 1:
        lines += ["", f"The runs are from different engines: {', '.join(backends)}."]
    return "\n".join(lines) + "\n"


def _warning(runs: list[FinishedRun]) -> list[str]:
    """Lines, if the checkpoints (``.../global_step_N/...``) are of different steps; a base model has no step."""
    found = {run.name: re.findall(r"global_step_(\d+)", run.settings.model) for run in runs}
    steps = {name: int(numbers[-1]) for name, numbers in found.items() if numbers}
    if len(set(steps.values())) < 2:
        return []
    named = ", ".join(f"{name} {step}" for name, step in steps.items())
    return [f"**WARNING: the checkpoints are of different steps: {named}. Name global_step_N to evaluate one.**", ""]


def _check(runs: list[FinishedRun]) -> None:
    if len(runs) < 2 or len({run.name for run in runs}) < len(runs):
        names, fix = [run.name for run in runs], "name each: baseline=FOLDER daro=FOLDER"
        raise DaroConfigError("compare", got=names, expected="two or more runs with their own names", fix=fix)
    first = runs[0]
    for run in runs[1:]:
        for name, expected, got in describe_differences(first.settings, run.settings, COMPARED):
            fix = "evaluate both on the same file and with the same settings"
            raise DaroDataError(
                f"{name} of {run.name}", got=got, expected=f"{expected!r}, that of {first.name}", fix=fix
            )
        if {name: set(rates) for name, rates in run.rates.items()} != {n: set(r) for n, r in first.rates.items()}:
            got, fix = f"{sum(map(len, run.rates.values()))} problems", "evaluate both on the same file"
            raise DaroDataError(f"rows of {run.name}", got=got, expected=f"the problems of {first.name}", fix=fix)


def _means(run: FinishedRun) -> dict[str, MeanWithError]:
    means = {benchmark: mean_over_problems(list(rates.values())) for benchmark, rates in run.rates.items()}
    return means | {"average": macro_average(list(means.values()))}


def _differences(first: FinishedRun, second: FinishedRun) -> dict[str, MeanWithError]:
    found = {
        benchmark: paired_difference(list(rates.values()), [second.rates[benchmark][key] for key in rates])
        for benchmark, rates in first.rates.items()
    }
    return found | {"average": macro_average(list(found.values()))}


def _interval(difference: MeanWithError) -> str:
    low, high = difference.interval()
    if low != low:
        return f"{100 * difference.mean:+.1f} (one problem: no interval)"
    return f"{100 * difference.mean:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def _line(name: str, cells: list[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"
