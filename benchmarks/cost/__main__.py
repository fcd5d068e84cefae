"""Run parts, each into its own JSON file. Then show the table of everything measured so far."""

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import track

from benchmarks.cost import machine, report
from benchmarks.cost.parts import PARTS, NotRun, module_of

RESULTS = Path(__file__).parent / "results"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; or report; default: all parts"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of one JSON file for each part")
    parser.add_argument(
        "--label", default="", help="write PART-LABEL.json beside the others: an earlier commit's figures"
    )
    parser.add_argument("--out", type=Path, help="the table as Markdown; by default cost.md in the folder of results")
    args = parser.parse_args()
    unknown = [part for part in args.parts if part not in (*PARTS, "report")]
    if unknown:
        parser.error(f"part: got {unknown[0]!r}, expected one of {', '.join((*PARTS, 'report'))}")
    return args


def run(part: str) -> dict:
    """What a part's file holds."""
    before = machine.describe()
    try:
        rows, reason = module_of(part).run(), None
    except NotRun as error:
        rows, reason = [], str(error)
        print(f"{part}: not run: {reason}", file=sys.stderr)
    load = [before["load average"], machine.describe()["load average"]]
    return {"part": part, **before, "load average": load, "not run": reason, "rows": rows}


def main() -> None:
    args = parse()
    args.results.mkdir(parents=True, exist_ok=True)
    for part in track(args.parts or list(PARTS), "parts", console=Console(stderr=True)):
        if part != "report":
            name = f"{part}-{args.label}" if args.label else part
            (args.results / f"{name}.json").write_text(json.dumps(run(part), indent=1, ensure_ascii=False) + "\n")
    report.write(args.results, args.out or args.results / "cost.md")


if __name__ == "__main__":
    main()
