"""The output of ``daro data``: a bar for each source while it reads, and tables of the result."""

from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

from daro_verl.toolkit.data.answers import check_gold
from daro_verl.toolkit.data.build import Result, build
from daro_verl.toolkit.data.dataset_spec import DatasetSpec
from daro_verl.toolkit.data.difficulty import Filtered
from daro_verl.toolkit.data.raw_rows import num_rows
from daro_verl.toolkit.data.row_tally import RowTally
from daro_verl.toolkit.data.sources import SOURCES


def build_with_bars(spec: DatasetSpec) -> Result:
    """Build the file, with a bar for each source on standard error."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, *times, console=Console(stderr=True)) as progress:
        bars = {}
        for source in spec.sources:
            total = num_rows(source, spec.local.get(source.name))
            bars[source.name] = progress.add_task(source.name, total=spec.limit or total)

        def show(name: str, tally: RowTally) -> None:
            description = f"{name}: {tally.kept} kept, {tally.dropped.total()} dropped"
            progress.update(bars[name], completed=tally.read, description=description)

        return build(spec, check_gold, show)


def print_result(spec: DatasetSpec, result: Result) -> None:
    """Print the counts of rows, the remarks, the commits of the hub, and the file."""
    console = Console()
    console.print(as_table(result.tallies))
    for remark in result.remarks:
        console.print(remark, style="yellow", markup=False)
    for name, revision in result.revisions.items():
        console.print(f"{name} from the hub, commit {revision}", markup=False)
    verb = "was there already, with" if result.was_there else "has"
    console.print(f"{spec.out} {verb} {result.num_rows} rows", markup=False)


def print_difficulty(out: Path, result: Filtered) -> None:
    """Print how difficult the prompts are, and the file."""
    console, table = Console(), Table("predicted pass rate", Column("prompts", justify="right"))
    for kind, number in result.kinds.items():
        table.add_row(kind, str(number))
    console.print(table)
    console.print(f"{out} has {result.num_rows} of {result.num_all} rows, by {result.source}", markup=False)


def print_sources() -> None:
    """Print every data set."""
    columns = ("role", "on the hub", "splits", "rows", "responses")
    table = Table(Column("source", no_wrap=True), *columns)
    for source in SOURCES.values():
        sizes, splits = " or ".join(map(str, source.num_rows)), "+".join(source.splits)
        place = f"{source.hub_id} {source.config or ''}".strip()
        table.add_row(source.name, source.role, place, splits, sizes, str(source.rollouts))
    Console().print(table)


def as_table(tallies: dict[str, RowTally]) -> Table:
    """A table with a line for each source, and below it a line for each reason with its first example."""
    table = Table("source", "read", "kept", "dropped", "reason and an example")
    for name, tally in tallies.items():
        table.add_row(name, str(tally.read), str(tally.kept), str(tally.dropped.total()), "", style="bold")
        for what, counter in (("", tally.dropped), ("kept, but ", tally.remarks)):
            for reason, count in counter.most_common():
                example = next(iter(tally.examples.get(reason, [])), "")
                table.add_row(
                    "", "", "", str(count), Text(f"{what}{reason}: {_short(example)}")
                )  # Text, because brackets in an example are not markup
    return table


def _short(text: str, longest: int = 100) -> str:
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
