"""``python -m daro_verl.toolkit.evaluation``: a checkpoint's figures, and runs side by side. See ``docs/evaluation.md``."""

import signal
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from daro_verl.toolkit.evaluation.arguments import job as parse_job
from daro_verl.toolkit.evaluation.arguments import parser
from daro_verl.toolkit.evaluation.compare import compare, read_run
from daro_verl.toolkit.evaluation.errors import DaroEvaluationError
from daro_verl.toolkit.evaluation.problems import Problem
from daro_verl.toolkit.evaluation.records import Row
from daro_verl.toolkit.evaluation.report import MARKDOWN
from daro_verl.toolkit.evaluation.run import Progress, evaluate


class Bar(Progress):
    """A bar over rows on standard error."""

    def __init__(self, bars: Bars) -> None:
        self._bars, self._right, self._responses = bars, 0.0, 0

    def say(self, text: str) -> None:
        self._bars.console.print(text, style="yellow", markup=False)

    def begin(self, problems: list[Problem], finished: set[str]) -> None:
        if finished:
            self.say(f"{len(finished)} of {len(problems)} rows are finished already")
        self._bar = self._bars.add_task("rows", total=len(problems), completed=len(finished))

    def advance(self, row: Row) -> None:
        self._right += sum(response.acc for response in row.responses)
        self._responses += len(row.responses)
        description = f"rows: {self._right:.0f} of {self._responses} responses right"
        self._bars.update(self._bar, advance=1, description=description)


def main(arguments: Sequence[str] | None = None) -> int:
    """0: written or printed. 2: wrong arguments, files or settings. 130: interrupted; the same command goes on."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill is a Ctrl-C
    options = parser().parse_args(arguments)
    try:
        if options.command == "compare":
            text = compare([read_run(argument) for argument in options.run])
            if options.out:
                options.out.write_text(text)
            print(text, end="")
            return 0
        job = parse_job(options)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Bars(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as bars:
            evaluate(job, Bar(bars))
    except DaroEvaluationError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted. Run the same command again to go on from the last finished row.", file=sys.stderr)
        return 130
    print((job.out / MARKDOWN).read_text(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
