"""``python -m benchmarks.convergence``: see the package's docstring."""

import argparse
import sys
from pathlib import Path

from rich.console import Console

import benchmarks.convergence
from benchmarks.convergence.campaign import campaign
from benchmarks.convergence.report.evidence import fill
from benchmarks.convergence.report.results import Results
from benchmarks.convergence.report.summary import write_report
from benchmarks.convergence.studies import CONFIRMATION, STUDIES, TUNING, Study, quick, unique_runs
from benchmarks.convergence.tuning import tuned

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[2] / "docs" / "evidence.md"
QUICK = (
    "**Quick run: 2 seeds, 2 regimes, 8 rounds, one learning rate. "
    "It shows that the benchmark works; its figures compare nothing.**"
)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    text = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m benchmarks.convergence", description=benchmarks.convergence.__doc__, formatter_class=text
    )
    parser.add_argument("--study", nargs="+", choices=STUDIES, default=list(STUDIES), metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="2 seeds, 2 regimes, 8 rounds: under 5 minutes on 2 cores")
    parser.add_argument("--out", type=Path, default=Path("outputs/convergence"), help="warm starts and runs")
    parser.add_argument("--results", type=Path, help="tables and figures; quick runs leave them in OUT")
    parser.add_argument("--processes", type=int, default=2, help="0 runs in this one")
    parser.add_argument("--tables-only", action="store_true", help="from the runs that are finished")
    return parser.parse_args(arguments)


def study_of(name: str, args: argparse.Namespace) -> Study:
    """A study as it can be run now: confirmation takes its learning rates from what is finished of tuning."""
    if args.quick:
        return quick(STUDIES[name])
    return tuned(CONFIRMATION, TUNING, args.out) if name == CONFIRMATION.name else STUDIES[name]


def main(arguments: list[str] | None = None) -> None:
    args, console = parse(arguments), Console()
    folder = args.results or (args.out / "quick" if args.quick else RESULTS)
    for name in args.study:
        try:
            study = study_of(name, args)
            if not args.tables_only:
                console.print(f"{name}: {study.question}")
                campaign(unique_runs([study]), args.out, args.processes, console)
        except KeyboardInterrupt:
            sys.exit("Interrupted. What is finished is kept: the same command goes on from here.")
        except ValueError as error:
            sys.exit(str(error))
        for path in write_report([study], args.out, folder, QUICK if args.quick else ""):
            console.print(path, soft_wrap=True)
        if name == CONFIRMATION.name and folder == RESULTS:
            fill(PAGE, Results(study, args.out))


if __name__ == "__main__":
    main()
