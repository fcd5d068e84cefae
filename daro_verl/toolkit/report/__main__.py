"""``python -m daro_verl.toolkit.report RUN [RUN ...]``: the paper's figures from what verl logged. See ``docs/report.md``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from daro_verl.errors import got_expected_fix
from daro_verl.toolkit.report.arguments import parse_sources
from daro_verl.toolkit.report.drawing import require_matplotlib, save
from daro_verl.toolkit.report.errors import DaroReportError
from daro_verl.toolkit.report.figures import lengths, losses, pass_rates, training, weights
from daro_verl.toolkit.report.page import page
from daro_verl.toolkit.report.reading import Run, read_run
from daro_verl.toolkit.report.section import Section, file_stems
from daro_verl.toolkit.report.theme import LIGHT, THEMES

FIGURES = (weights, losses, lengths, training, pass_rates)
PAGE = "report.html"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report. 0: written; 2: wrong arguments, or nothing to draw, with the reason on standard error."""
    options = _parser().parse_args(arguments)
    try:
        require_matplotlib()
        runs = [read_run(source) for source in parse_sources(options.run)]
        for run in runs:
            for warning in run.warnings:
                print(f"{run.name}: {warning}", file=sys.stderr)
        print(write_report(runs, options.out, options.title, options.smoothing))
    except DaroReportError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def write_report(runs: list[Run], out: Path, title: str = "", alpha: float = 0.1) -> Path:
    """The page and the files of the figures, below ``out``.

    Raises:
        DaroReportError: nothing can be drawn, or ``out`` cannot be written.
    """
    sections = [section for figure in FIGURES for section in figure.sections(runs, alpha)]
    if not any(section.draw for section in sections):
        raise DaroReportError(_nothing(runs))
    try:
        out.mkdir(parents=True, exist_ok=True)
        pictures = _write_figures(sections, out)
        title = title or f"Training report: {', '.join(dict.fromkeys(run.method for run in runs))}"
        text = page(title, sections, pictures, runs)
        (out / PAGE).write_bytes(text.encode("utf-8", "replace"))
    except OSError as error:
        problem = got_expected_fix("--out", str(error), "a directory that can be written", "pass another --out")
        raise DaroReportError(problem) from error
    return out / PAGE


def _write_figures(sections: Sequence[Section], out: Path) -> dict[str, dict[str, bytes]]:
    """Draw each section in each theme, one figure in memory at a time. PNG in light only: it is for documents."""
    pictures: dict[str, dict[str, bytes]] = {}
    for section, stem in zip(sections, file_stems(sections), strict=True):
        if section.draw is None:
            continue
        for theme in THEMES:
            figure = section.draw(theme)
            pictures.setdefault(stem, {})[theme.name] = svg = save(figure, theme, "svg")
            (out / f"{stem}{'' if theme is LIGHT else f'-{theme.name}'}.svg").write_bytes(svg)
            if theme is LIGHT:
                (out / f"{stem}.png").write_bytes(save(figure, theme, "png"))
    return pictures


def _nothing(runs: Sequence[Run]) -> str:
    """Why there is no figure at all."""
    read = "; ".join(f"{run.name}: {len(run.files)} files, {len(run.steps)} steps" for run in runs)
    fix = "log to files (trainer.logger=[console,file,tensorboard]) and name the directories with these files"
    return got_expected_fix("report", f"no metric to draw ({read})", "logs of a verl job", fix)


def _smoothing(text: str) -> float:
    try:
        alpha = float(text)
    except ValueError:
        alpha = 0.0
    if not 0 < alpha <= 1:
        fix = "pass 0.1 as in the paper, or 1 for no smoothing"
        raise argparse.ArgumentTypeError(got_expected_fix("--smoothing", text, "a number in (0, 1]", fix))
    return alpha


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m daro_verl.toolkit.report", description=__doc__.split(": ", 1)[1])
    parser.add_argument(
        "run",
        nargs="+",
        metavar="[LABEL=]RUN",
        help="a run's directory (or one log file), searched for verl's logs; runs with one label are seeds of a "
        "method; default label: the directory's name without -seedN",
    )
    parser.add_argument("--out", type=Path, default=Path("daro_report"), help="directory to write (%(default)s)")
    parser.add_argument("--title", default="", help="of the page")
    parser.add_argument("--smoothing", type=_smoothing, default=0.1, metavar="ALPHA", help="in (0, 1] (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
