"""``python -m daro_verl.toolkit.data``: training and validation files for verl. See ``docs/data.md``."""

import signal
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from daro_verl.toolkit.data.arguments import job as parse_job
from daro_verl.toolkit.data.arguments import parser
from daro_verl.toolkit.data.build import Result, build
from daro_verl.toolkit.data.errors import DaroDataError
from daro_verl.toolkit.data.golds import check_gold
from daro_verl.toolkit.data.job import Job
from daro_verl.toolkit.data.loading import num_rows
from daro_verl.toolkit.data.report import Tally, as_table
from daro_verl.toolkit.data.sources import SOURCES


def main(arguments: Sequence[str] | None = None) -> int:
    """0: written, or there already. 2: wrong arguments or files. 130: interrupted; the same command goes on."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill is a Ctrl-C
    options = parser().parse_args(arguments)
    console = Console()
    if options.command == "sources":
        console.print(_list())
        return 0
    try:
        job = parse_job(options)
        result = _build(job)
    except DaroDataError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted. Run the same command again to go on from the last rows saved.", file=sys.stderr)
        return 130
    console.print(as_table(result.tallies))
    for remark in result.remarks:
        console.print(remark, style="yellow", markup=False)
    for name, revision in result.revisions.items():
        console.print(f"{name} from the hub, commit {revision}", markup=False)
    verb = "was there already, with" if result.was_there else "has"
    console.print(f"{job.out} {verb} {result.num_rows} rows", markup=False)
    return 0


def _build(job: Job) -> Result:
    """With a bar for each source on standard error."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bars = {}
        for source in job.sources:
            total = num_rows(source, job.local.get(source.name))
            bars[source.name] = progress.add_task(source.name, total=job.limit or total)

        def show(name: str, tally: Tally) -> None:
            description = f"{name}: {tally.kept} kept, {tally.dropped.total()} dropped"
            progress.update(bars[name], completed=tally.read, description=description)

        return build(job, check_gold, show)


def _list() -> Table:
    columns = ("role", "on the hub", "splits", "rows", "responses")
    table = Table(Column("source", no_wrap=True), *columns)
    for source in SOURCES.values():
        sizes, splits = " or ".join(map(str, source.num_rows)), "+".join(source.splits)
        place = f"{source.hub_id} {source.config or ''}".strip()
        table.add_row(source.name, source.role, place, splits, sizes, str(source.rollouts))
    return table


if __name__ == "__main__":
    sys.exit(main())
