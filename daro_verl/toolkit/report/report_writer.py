"""Write the report: every figure as PNG and SVG, and the page with all of them."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from daro_verl.atomic import write_atomically
from daro_verl.errors import DaroConfigError, DaroDataError
from daro_verl.toolkit.report.drawing import save
from daro_verl.toolkit.report.figures import lengths, losses, prompts, training, validation, weights
from daro_verl.toolkit.report.page import page
from daro_verl.toolkit.report.run_logs import LoggedRun
from daro_verl.toolkit.report.section import Section, file_stems
from daro_verl.toolkit.report.theme import LIGHT, THEMES

FIGURES = (weights, losses, lengths, training, validation, prompts)
PAGE = "report.html"


def write_report(runs: list[LoggedRun], out: Path, title: str = "", alpha: float = 0.1) -> Path:
    """Write the page and the figures below ``out``.

    Raises:
        DaroError: nothing can be drawn, or ``out`` cannot be written.
    """
    sections = [section for figure in FIGURES for section in figure.sections(runs, alpha)]
    if not any(section.draw for section in sections):
        raise _nothing_to_draw(runs)
    try:
        out.mkdir(parents=True, exist_ok=True)
        pictures = _write_figures(sections, out)
        title = title or f"Training report: {', '.join(dict.fromkeys(run.method for run in runs))}"
        text = page(title, sections, pictures, runs)
        write_atomically(out / PAGE, text.encode("utf-8", "replace"))
    except OSError as error:
        expected, fix = "a directory that can be written", "pass another --out"
        raise DaroConfigError("--out", got=str(error), expected=expected, fix=fix) from error
    return out / PAGE


def _write_figures(sections: Sequence[Section], out: Path) -> dict[str, dict[str, bytes]]:
    """Draw each section in each theme, with one figure in memory at a time. PNG is for documents, so only light."""
    pictures: dict[str, dict[str, bytes]] = {}
    pairs = zip(sections, file_stems(sections), strict=True)
    drawn = [(section.draw, stem) for section, stem in pairs if section.draw]
    for draw, stem in track(drawn, "figures drawn", console=Console(stderr=True), transient=True):
        for theme in THEMES:
            figure = draw(theme)
            pictures.setdefault(stem, {})[theme.name] = svg = save(figure, theme, "svg")
            (out / f"{stem}{'' if theme is LIGHT else f'-{theme.name}'}.svg").write_bytes(svg)
            if theme is LIGHT:
                (out / f"{stem}.png").write_bytes(save(figure, theme, "png"))
    return pictures


def _nothing_to_draw(runs: Sequence[LoggedRun]) -> DaroDataError:
    """The error if there is no figure at all."""
    read = "; ".join(f"{run.name}: {len(run.files)} files, {len(run.steps)} steps" for run in runs)
    fix = "log to files (trainer.logger=[console,file,tensorboard]) and name the directories with these files"
    got = f"no metric to draw ({read})"
    return DaroDataError("report", got=got, expected="logs of a verl job", fix=fix)
