"""What the documentation site makes of the code when it is built: see mkdocs.yml.

``python -m mkdocs build --strict``, from the top of the clone. Nothing of it is written into the clone.
"""

from pathlib import Path

ROOT = Path(__file__).parent.parent


def cell(text: object) -> str:
    """A text as a cell of a Markdown table; outside of code, what looks like HTML is none."""
    parts = " ".join(str(text).split()).replace("|", "\\|").split("`")
    parts[::2] = [part.replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(map(cell, line))} |\n" for line in lines)
