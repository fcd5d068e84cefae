"""The report's page: one HTML file that needs no other, in light and in dark mode."""

import base64
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from daro_verl.toolkit.report.run_logs import LoggedRun
from daro_verl.toolkit.report.section import Section, Table, file_stems, grouped
from daro_verl.toolkit.report.template import PAGE, STYLE

NONE = "\N{EN DASH}"
LARGE = 10_000


def page(
    title: str, sections: Sequence[Section], pictures: Mapping[str, Mapping[str, bytes]], runs: Sequence[LoggedRun]
) -> str:
    """Return the page as HTML.

    Args:
        pictures: the SVG of each drawn section, by the section's file stem and then by theme (``light``, ``dark``).
    """
    from jinja2 import Environment

    template = Environment(autoescape=True).from_string(PAGE)
    return template.render(
        title=title,
        style=STYLE,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        sections=[
            _section(section, stem, pictures.get(stem, {}))
            for section, stem in zip(sections, file_stems(sections), strict=True)
        ],
        runs=cells(runs_table(runs)),
        files=cells(files_table(runs)),
        warnings=[(run.name, warning) for run in runs for warning in run.warnings],
    )


def _section(section: Section, stem: str, pictures: Mapping[str, bytes]) -> dict[str, Any]:
    return {
        "stem": stem,
        "number": section.number,
        "title": section.title,
        "heading": f"{section.title} ({section.method})" if section.method else section.title,
        "method": section.method,
        "caption": section.caption,
        "notes": section.notes,
        "alt": section.alt,
        "light": data_uri(pictures["light"]) if pictures else "",
        "dark": data_uri(pictures["dark"]) if pictures else "",
        "tables": [cells(table) for table in section.tables],
        "missing": grouped(section.missing),
    }


def data_uri(svg: bytes) -> str:
    """The picture as an address that contains it."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()


def cells(table: Table) -> dict[str, Any]:
    """A table's caption, header and rows as texts."""
    rows = [
        [str(name), *map(number, row)] for name, row in zip(table.data.index, table.data.to_numpy(object), strict=True)
    ]
    return {
        "caption": table.caption,
        "header": [table.data.index.name or "", *map(str, table.data.columns)],
        "rows": rows,
    }


def number(value: Any) -> str:
    """A number as text: four significant digits, except for whole numbers, and a dash for NaN."""
    if isinstance(value, str):
        return value
    value = float(value)
    if math.isnan(value):
        return NONE
    if value.is_integer() and abs(value) < LARGE:
        return str(int(value))
    return f"{value:.0f}" if LARGE <= abs(value) < LARGE**2 else f"{value:.4g}"


def runs_table(runs: Sequence[LoggedRun]) -> Table:
    """The files and steps that were read, per run."""
    rows = {}
    for run in runs:
        first, last = (str(min(run.steps)), str(max(run.steps))) if run.steps else (NONE, NONE)
        kinds = ", ".join(sorted({file.kind for file in run.files})) or NONE
        rows[run.name] = [run.method, first, last, len(run.steps), len(run.files), kinds]
    columns = ["method", "first step", "last step", "steps logged", "files read", "format"]
    return Table("Runs", pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("run"))


def files_table(runs: Sequence[LoggedRun]) -> Table:
    """Every file, by its path below the run."""
    rows = [(file.name, run.name, file.kind, len(file.steps)) for run in runs for file in run.files]
    data = pd.DataFrame(rows, columns=["file", "run", "format", "steps"]).set_index("file")
    return Table("Files", data)
