"""The output of an evaluation while it runs."""

from collections.abc import Iterator
from contextlib import contextmanager

import rich.progress
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from daro_verl.toolkit.evaluation.benchmark_file import BenchmarkProblem
from daro_verl.toolkit.evaluation.row_file import Row


class Progress:
    """Receives every step of a run. This class prints nothing."""

    def say(self, text: str) -> None:
        """Receive a remark."""

    def begin(self, problems: list[BenchmarkProblem], finished: set[str]) -> None:
        """Receive all rows, and the keys of the rows that are already finished."""

    def advance(self, row: Row) -> None:
        """Receive one more finished row."""


class ProgressBar(Progress):
    """A bar over rows on standard error."""

    def __init__(self, bars: rich.progress.Progress) -> None:
        self._bars, self._right, self._responses = bars, 0.0, 0

    def say(self, text: str) -> None:
        self._bars.console.print(text, style="yellow", markup=False)

    def begin(self, problems: list[BenchmarkProblem], finished: set[str]) -> None:
        if finished:
            self.say(f"{len(finished)} of {len(problems)} rows are finished already")
        self._bar = self._bars.add_task("rows", total=len(problems), completed=len(finished))

    def advance(self, row: Row) -> None:
        self._right += sum(response.acc for response in row.responses)
        self._responses += len(row.responses)
        description = f"rows: {self._right:.0f} of {self._responses} responses right"
        self._bars.update(self._bar, advance=1, description=description)


@contextmanager
def progress_bar() -> Iterator[ProgressBar]:
    """A progress bar that lasts as long as the context."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with rich.progress.Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        yield ProgressBar(bars)
