"""``python -m upstream check [NAME...]``, ``lines``, ``verl-tests REPOSITORY``."""

import time
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from upstream.checks import Result, check
from upstream.contribution import FOLDER, Contribution, contributions
from upstream.lines import table
from upstream.repository import compare

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)
console = Console(width=120)
COLUMNS = ("applies", "fails without", "passes with", "rules", "reverts")
Names = Annotated[list[str] | None, typer.Argument(help="contributions, by folder; all if none is named")]


@app.command("check")
def check_command(
    names: Names = None, verl: Annotated[Path | None, typer.Option(help="the package to copy")] = None
) -> None:
    """Apply each contribution to a copy of the installed verl, run its tests and verl's rules, and revert."""
    start = time.perf_counter()
    results = check(_chosen(names), verl or _installed())
    _print(results)
    console.print(f"{time.perf_counter() - start:.0f} s")
    raise typer.Exit(not all(result.passed for result in results))


@app.command("lines")
def lines_command(write: Annotated[bool, typer.Option(help="put the table into README.md, too")] = False) -> None:
    """Print lines and files of each contribution beside those of pull requests that verl merged, in Markdown."""
    head, *rows = table(contributions())
    if write:
        readme = FOLDER / "README.md"
        before = readme.read_text().split(head)[0]
        readme.write_text("\n".join([before + head, *rows, ""]))
    print("\n".join([head, *rows]))


@app.command("verl-tests")
def verl_tests_command(
    repository: Annotated[Path, typer.Argument(help="a checkout of verl's repository")], names: Names = None
) -> None:
    """Run verl's own CPU tests of the touched files on a copy of its repository, without and with each patch."""
    comparisons = []
    for comparison in compare(_chosen(names), repository):
        comparisons.append(comparison)
        before = ", ".join(f"{count} {outcome}" for outcome, count in sorted(comparison.before.items())) or "no tests"
        own = ", ".join(f"{count} {outcome}" for outcome, count in sorted(comparison.own.items()))
        verdict = comparison.refused or (f"own {own}; " + ("the same" if not comparison.changed else "CHANGED"))
        console.print(f"{comparison.name}: {len(comparison.tests)} files, {before}. With the patch: {verdict}")
        for line in [*map(str, comparison.tests), *comparison.changed]:
            console.print(f"    {line}", markup=False, highlight=False)
    raise typer.Exit(not all(comparison.same for comparison in comparisons))


def _chosen(names: list[str] | None) -> list[Contribution]:
    try:
        return contributions(names or ())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _installed() -> Path:
    spec = find_spec("verl")
    if spec is None or spec.origin is None:
        raise typer.BadParameter("verl: got no installed package, expected verl 0.9.1. Fix: make .venv/ready")
    return Path(spec.origin).parent


def _print(results: list[Result]) -> None:
    verdicts = Table("contribution", *COLUMNS)
    for result in results:
        verdicts.add_row(result.name, *(result.verdicts.get(column, "-") for column in COLUMNS))
    console.print(verdicts)
    for result in results:
        for line in result.details:
            console.print(line, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    app(prog_name="python -m upstream")
