"""One run's figures as JSON and as a Markdown table."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daro_verl.atomic import write_atomically
from daro_verl.toolkit.evaluation.settings import Settings
from daro_verl.toolkit.evaluation.summary import Benchmark, MeanWithError, Summary

JSON, MARKDOWN = "report.json", "report.md"
_HEAD = "| benchmark | problems | k | mean@k | best@k | maj@k | truncated | timeouts | no room | tokens |"


def write_report(folder: Path, settings: Settings, summary: Summary, remarks: list[str]) -> None:
    """``report.json`` and ``report.md``, each in one rename."""
    values = {"settings": asdict(settings), "remarks": remarks, **as_json(summary)}
    write_atomically(folder / JSON, json.dumps(values, indent=2, allow_nan=False))
    write_atomically(folder / MARKDOWN, as_markdown(settings, summary, remarks))


def as_json(summary: Summary) -> dict[str, Any]:
    """Shares between 0 and 1; null where there is no figure (the standard error of one problem)."""
    benchmarks = {}
    for benchmark in summary.benchmarks:
        values = asdict(benchmark) | {"mean": benchmark.mean.mean, "mean_se": benchmark.mean.se}
        name = values.pop("name")
        benchmarks[name] = {key: _finite(value) for key, value in values.items()}
    average = {"mean": _finite(summary.average.mean), "mean_se": _finite(summary.average.se)}
    return {"benchmarks": benchmarks, "average": average}


def as_markdown(settings: Settings, summary: Summary, remarks: list[str]) -> str:
    """Percentages; mean@k with its standard error over problems."""
    rows = [_row(benchmark) for benchmark in summary.benchmarks]
    rows.append(f"| average | | | {percent(summary.average)} | | | | | | |")
    limit = f" The first {settings.limit} problems of each benchmark." if settings.limit else ""
    text = (
        f"# {settings.model}\n\n{settings.backend}, {settings.dtype}, temperature {settings.temperature:g}, "
        f"top-p {settings.top_p:g}, top-k {settings.top_k}, {settings.response_tokens} response tokens.{limit}\n\n"
        f"{_HEAD}\n|{' --- |' * 10}\n" + "\n".join(rows) + "\n\n"
        "Shares in %, mean@k with its standard error over problems; the average counts each benchmark the same.\n"
    )
    return text + "".join(f"\n{remark}.\n" for remark in remarks)


def percent(estimate: MeanWithError) -> str:
    """``41.3 ± 2.9``."""
    error = f" ± {100 * estimate.se:.1f}" if math.isfinite(estimate.se) else ""
    return f"{100 * estimate.mean:.1f}{error}"


def _row(benchmark: Benchmark) -> str:
    cells = [
        benchmark.name,
        benchmark.num_problems,
        benchmark.num_responses,
        percent(benchmark.mean),
        f"{100 * benchmark.best:.1f}",
        f"{100 * benchmark.majority:.1f}",
        f"{100 * benchmark.truncated:.1f}",
        benchmark.timeouts,
        benchmark.no_room,
        f"{benchmark.mean_length:.0f}" if math.isfinite(benchmark.mean_length) else "",
    ]
    return f"| {' | '.join(map(str, cells))} |"


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
