"""Write one run's figures as JSON and as a Markdown table."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daro_verl.atomic import write_atomically
from daro_verl.toolkit.evaluation.estimates import MeanWithError
from daro_verl.toolkit.evaluation.launches import Launch
from daro_verl.toolkit.evaluation.settings import Settings
from daro_verl.toolkit.evaluation.summary import LONG, Benchmark, Summary

JSON, MARKDOWN = "report.json", "report.md"
_HEAD = "| benchmark | problems | n | mean@n | truncated | timeouts | no room | repeated | tokens |"


def write_report(
    folder: Path, settings: Settings, summary: Summary, launches: list[Launch], remarks: list[str]
) -> None:
    """Write ``report.json`` and ``report.md``, each in one rename."""
    remarks = remarks + _warnings(summary)
    drawn = [launch._asdict() for launch in launches]
    values = {"settings": asdict(settings), "launches": drawn, "remarks": remarks, **as_json(summary)}
    write_atomically(folder / JSON, json.dumps(values, indent=2, allow_nan=False))
    write_atomically(folder / MARKDOWN, as_markdown(settings, summary, launches, remarks))


def as_json(summary: Summary) -> dict[str, Any]:
    """The figures, with shares between 0 and 1. A figure that does not exist is null (the error of one problem)."""
    benchmarks = {}
    for benchmark in summary.benchmarks:
        values = {key: _finite(value) for key, value in vars(benchmark).items() if key not in ("name", "figures")}
        figures = {key: _estimate(value) for key, value in benchmark.figures.items()}
        mean = {"mean": benchmark.mean.mean, "mean_se": _finite(benchmark.mean.se)}
        benchmarks[benchmark.name] = values | mean | {"figures": figures}
    return {"benchmarks": benchmarks, "average": _estimate(summary.average)}


def as_markdown(settings: Settings, summary: Summary, launches: list[Launch], remarks: list[str]) -> str:
    """The table, in percent, with standard errors over problems."""
    rows = [_row(benchmark) for benchmark in summary.benchmarks]
    rows.append(f"| average | | | {percent(summary.average)} | | | | | |")
    limit = f" The first {settings.limit} problems of each benchmark." if settings.limit else ""
    drawn = "; ".join(str(launch) for launch in launches) or settings.backend
    text = (
        f"# {settings.model}\n\n{drawn}; {settings.dtype}, temperature {settings.temperature:g}, "
        f"top-p {settings.top_p:g}, top-k {settings.top_k}, {settings.response_tokens} response tokens, "
        f"seed {settings.seed} ({settings.seeding}).{limit}\n\n"
        f"{_HEAD}\n|{' --- |' * 9}\n" + "\n".join(rows) + "\n\n" + _others(summary) + "Shares in % with their standard "
        "errors over problems. pass@1 is mean@n. The average counts each benchmark the same.\n"
    )
    return text + "".join(f"\n{remark}.\n" for remark in remarks)


def _others(summary: Summary) -> str:
    """pass@k and maj@n of the benchmarks with several responses to a problem."""
    found = {benchmark.name: benchmark.others() for benchmark in summary.benchmarks if benchmark.others()}
    names = list(dict.fromkeys(name for figures in found.values() for name in figures))
    rows = [[name, *(percent(own[key]) if key in own else "" for key in names)] for name, own in found.items()]
    lines = [f"| {' | '.join(cells)} |" for cells in [["benchmark", *names], ["---"] * (len(names) + 1), *rows]]
    return "\n".join(lines) + "\n\n" if found else ""


def _warnings(summary: Summary) -> list[str]:
    return [
        f"WARNING: {benchmark.repeated} responses to {benchmark.name} of {LONG} or more tokens repeat another response "
        "to their problem token by token: the model hardly varies, or the draws are not independent"
        for benchmark in summary.benchmarks
        if benchmark.repeated
    ]


def percent(estimate: MeanWithError) -> str:
    """A mean in percent with its standard error, as in ``41.3 ± 2.9``."""
    error = f" ± {100 * estimate.se:.1f}" if math.isfinite(estimate.se) else ""
    return f"{100 * estimate.mean:.1f}{error}"


def _row(benchmark: Benchmark) -> str:
    cells = [
        benchmark.name,
        benchmark.num_problems,
        benchmark.num_responses,
        percent(benchmark.mean),
        f"{100 * benchmark.truncated:.1f}",
        benchmark.timeouts,
        benchmark.no_room,
        benchmark.repeated,
        f"{benchmark.mean_length:.0f}" if math.isfinite(benchmark.mean_length) else "",
    ]
    return f"| {' | '.join(map(str, cells))} |"


def _estimate(estimate: MeanWithError) -> dict[str, float | None]:
    return {"mean": estimate.mean, "se": _finite(estimate.se)}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
