"""``daro``: one command line for everything around a training. ``python -m daro_verl.cli`` does the same.

``daro --help`` imports none of the commands. A command is loaded when it is called.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from daro_verl.errors import DaroError


class Entry(NamedTuple):
    """Where a command is (``module:name`` of a Typer app or a function), and its line in ``daro --help``."""

    target: str
    help: str


COMMANDS = {
    "data": Entry("daro_verl.toolkit.data.commands:app", "Write training sets, benchmarks and generated tasks."),
    "models": Entry("daro_verl.toolkit.models.commands:app", "Prepare a model, and check that it fits a layout."),
    "recipe": Entry("daro_verl.toolkit.recipes.commands:recipe", "Check a training from recipes/, and start it."),
    "table-disk": Entry("daro_verl.toolkit.recipes.table:table_disk", "Check the disk space for the paper's table."),
    "evaluate": Entry("daro_verl.toolkit.evaluation.commands:evaluate", "Evaluate a checkpoint on the benchmarks."),
    "compare": Entry("daro_verl.toolkit.evaluation.commands:compare", "Compare finished evaluations side by side."),
    "report": Entry("daro_verl.toolkit.report.commands:report", "Draw the paper's figures from a job's logs."),
    "layout": Entry("daro_verl.toolkit.layout.commands:app", "Set up charts in TensorBoard or Weights & Biases."),
    "doctor": Entry("daro_verl.toolkit.doctor:doctor", "Check whether a job can run on this machine."),
}


class LazyCommands(TyperGroup):
    """The commands in :data:`COMMANDS`. A :class:`DaroError` becomes a message on standard error and exit code 2."""

    def __init__(self, **settings: Any) -> None:
        stubs = {name: TyperCommand(name, help=entry.help) for name, entry in COMMANDS.items()}
        super().__init__(**settings | {"commands": stubs})

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Load the command that the user called, in place of its stub."""
        name, stub, rest = super().resolve_command(ctx, args)
        return name, load(name) if name else stub, rest

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except DaroError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(2) from error


def load(name: str) -> Any:
    """Import and return the command with this name in :data:`COMMANDS`."""
    module, _, attribute = COMMANDS[name].target.partition(":")
    found = getattr(import_module(module), attribute)
    parent = typer.Typer(rich_markup_mode=None)
    if isinstance(found, typer.Typer):
        parent.add_typer(found, name=name)
    else:
        parent.command(name)(found)
    return typer.main.get_group(parent).commands[name]


app = typer.Typer(
    cls=LazyCommands,
    help="DARO for verl: everything around a training.\n\nExample: daro data test --out data/test.parquet",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def _daro() -> None:
    """Typer needs a function for the group."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``daro`` and return its exit code.

    0: done. 2: wrong arguments, files or settings; standard error has the reason. 130: interrupted; the same command
    continues the work.
    """
    try:
        app(args=arguments, prog_name="daro")
    except SystemExit as end:
        return int(end.code or 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
