"""``daro report``: draw the paper's figures from verl's logs. See ``docs/report.md``."""

from pathlib import Path
from typing import Annotated

import typer

from daro_verl.errors import problem


def _smoothing(text: str | float) -> float:
    try:
        alpha = float(text)
    except ValueError:
        alpha = 0.0
    if not 0 < alpha <= 1:
        fix = "pass 0.1 as in the paper, or 1 for no smoothing"
        raise typer.BadParameter(problem("--smoothing", text, "a number in (0, 1]", fix))
    return alpha


def report(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="[LABEL=]RUN",
            help="A run's directory with verl's logs, or one log file. Runs with the same label are seeds of one "
            "method. Default label: the directory's name without -seedN.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The directory for the page and figures.")] = Path("daro_report"),
    title: Annotated[str, typer.Option(help="Title of the page. Default: one that names the methods.")] = "",
    smoothing: Annotated[
        float, typer.Option(parser=_smoothing, metavar="ALPHA", help="Smoothing of figure 2, in (0, 1]; 1 for none.")
    ] = 0.1,
) -> None:
    """Draw the paper's figures from verl's logs.

    \b
    Example: daro report outputs/daro-seed1 outputs/daro-seed2 outputs/grpo-seed1 --out report
    """
    from rich.console import Console
    from rich.progress import track

    from daro_verl.toolkit.report.drawing import require_matplotlib
    from daro_verl.toolkit.report.report_writer import write_report
    from daro_verl.toolkit.report.run_logs import read_run
    from daro_verl.toolkit.report.run_sources import parse_sources

    require_matplotlib()
    sources = parse_sources(runs)
    read = [read_run(source) for source in track(sources, "runs read", console=Console(stderr=True), transient=True)]
    for run in read:
        for warning in run.warnings:
            typer.echo(f"{run.name}: {warning}", err=True)
    print(write_report(read, out, title, smoothing))
