"""One Markdown table for each measured part, and the list of aims; the same on the terminal."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.cost.aims import Aim
from benchmarks.cost.parts import PARTS, module_of

NOT_RUN = "not run"


def write(results: Path, out: Path) -> None:
    """Merge the parts' files of ``results`` into ``out``."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(results.glob("*.json"))}
    sections = ["# Cost of DARO: what was measured", aims_table(found)]
    for part in PARTS:
        names = [name for name in found if name == part or name.startswith(f"{part}-")]
        sections += [section(part, name, found[name]) for name in sorted(names, key=len)]
        if part not in names:
            sections.append(f"## {module_of(part).TITLE}\n\n{NOT_RUN}")
    out.write_text("\n\n".join(sections) + "\n")
    show(found)


def section(part: str, name: str, result: dict[str, Any]) -> str:
    label = name.removeprefix(part).removeprefix("-")
    lines = [f"## {module_of(part).TITLE}{f' ({label})' if label else ''}", ""]
    versions = ", ".join(f"{package} {version}" for package, version in result["versions"].items())
    low, high = (f"{load:.1f}" for load in result["load average"])
    lines += [f"`{command(name)}`; commit {result['commit']}; {result['gpu'] or result['machine']}; {versions}; "]
    lines[-1] += f"load average before and after: {low}, {high}."
    return "\n".join([*lines, "", markdown(result["rows"]) or f"{NOT_RUN}: {result['not run']}"])


def command(name: str) -> str:
    part, _, label = name.partition("-")
    return f"python -m benchmarks.cost {part}" + (f" --label {label}" if label else "")


def markdown(rows: list[dict[str, Any]]) -> str:
    """A table whose columns are the rows' keys, in the order in which they first occur; empty without rows."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    if not columns:
        return ""
    lines = [columns, ["---"] * len(columns), *([shown(row.get(column)) for column in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def shown(value: Any) -> str:
    if value is None:
        return NOT_RUN
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return f"{value:,.0f}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def all_aims(found: dict[str, dict[str, Any]]) -> list[Aim]:
    """Of every part; without figures where the part was not run."""
    return [aim for part in PARTS for aim in module_of(part).aims(found.get(part, {}).get("rows", []))]


def aims_table(found: dict[str, dict[str, Any]]) -> str:
    return markdown([row_of(aim) for aim in all_aims(found)])


def row_of(aim: Aim) -> dict[str, Any]:
    measured = shown(aim.measured) + (f" ({shown(aim.quartiles)})" if aim.quartiles else "")
    return {"aim": aim.what, "at most": aim.bound, "measured (quartiles of rounds)": measured, "": aim.verdict}


def show(found: dict[str, dict[str, Any]]) -> None:
    table = Table("aim", "at most", "measured", "", title="Cost of DARO")
    for aim in all_aims(found):
        table.add_row(*(escape(shown(value)) for value in row_of(aim).values()))
    Console(width=120).print(table)
