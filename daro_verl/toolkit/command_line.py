"""Functions that the commands of ``daro`` share."""

import signal
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import typer


@contextmanager
def interruptible(advice: str) -> Iterator[None]:
    """End the command on Ctrl-C or SIGTERM, with ``advice`` on standard error and exit code 130."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"interrupted. {advice}", err=True)
        raise typer.Exit(130) from None


def one_of(names: Collection[str]) -> Callable[[Any], Any]:
    """A callback for an option or argument that accepts only these names."""

    def check(given: Any) -> Any:
        for name in [given] if isinstance(given, str) else given or []:
            if name not in names:
                raise typer.BadParameter(f"{name!r} is not one of {', '.join(names)}")
        return given

    return check
