"""``python -m benchmarks.interruptions``: see the package's docstring."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console

import benchmarks.interruptions
from benchmarks.interruptions.campaign import Campaign
from benchmarks.interruptions.check import Outcome, Reference, first_starts, outcomes
from benchmarks.interruptions.journal import BETWEEN, TRACKER
from benchmarks.interruptions.kills import AtPhase, Kill, plan
from benchmarks.interruptions.report import show, summary, write
from tests.platform.tiny_model import build


def parse() -> argparse.Namespace:
    text = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=benchmarks.interruptions.__doc__, formatter_class=text)
    parser.add_argument("--kills", type=int, default=20, help="at random moments; one at each phase of a save follows")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--save-every", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="6 steps, a save every 2, two kills at named phases")
    parser.add_argument(
        "--folder", type=Path, help="for journals, logs and checkpoints; kept. Else removed if all passed"
    )
    parser.add_argument("--output", type=Path, help="JSON")
    args = parser.parse_args()
    if args.quick:
        args.steps, args.save_every, args.kills = 6, 2, 0
    return args


def run(args: argparse.Namespace, folder: Path, console: Console) -> bool:
    kills: list[Kill] = [AtPhase(BETWEEN, 2), AtPhase(TRACKER)] if args.quick else plan(args.kills, args.seed)
    campaign = Campaign(folder, str(build(folder / "model")), args.steps, args.save_every, console)
    lines, durations = campaign.run_uninterrupted()
    console.print(f"Uninterrupted: {args.steps} steps in {durations.job:.1f} s.", end=" ")
    console.print(f"The first save takes {durations.first_save:.2f} s, a later one {durations.save:.2f} s: few of the")
    console.print("kills at any moment would strike a save, so two in five are aimed at one.")
    campaign.run(kills, durations)
    reference = Reference(lines)
    found: list[Outcome] = [one for job in campaign.jobs for one in outcomes(job, reference)]
    figures = summary(found, args.save_every, first_starts(campaign.jobs, reference))
    show(console, found, args.save_every)
    console.print(figures)
    if args.output:
        settings = {name: getattr(args, name) for name in ("kills", "steps", "save_every", "seed")}
        options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in settings.items())
        command = "python -m benchmarks.interruptions " + ("--quick" if args.quick else options)
        write(args.output, command, settings, figures, durations, found)
    return figures["passed"]


def main() -> None:
    args = parse()
    if args.folder and args.folder.exists() and any(args.folder.iterdir()):
        sys.exit(f"--folder: {args.folder} is not empty; its journals would be mixed with the new ones")
    folder = (args.folder or Path(tempfile.mkdtemp(prefix="interruptions-"))).resolve()
    console = Console(width=160 if not sys.stdout.isatty() else None)
    console.print(f"Journals, logs and checkpoints: {folder}")
    passed = run(args, folder, console)
    if passed and not args.folder:
        shutil.rmtree(folder)
    sys.exit(not passed)


if __name__ == "__main__":
    main()
