"""``python -m benchmarks.real_model``: see the package's docstring."""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from rich.console import Console

import benchmarks.real_model
from benchmarks.convergence.campaign import RUNS, commit, work_off
from benchmarks.convergence.methods import DR_GRPO, GRPO, LIPO
from benchmarks.convergence.report.summary import write_report
from benchmarks.convergence.runs import Method, Schedule
from benchmarks.real_model.execute import execute
from benchmarks.real_model.runs import LanguageRegime, LanguageStudy
from daro_verl.toolkit.models.smollm2 import write_smollm2
from examples.quickstart.smollm2 import MODEL

METHODS = {
    method.name: method
    for method in (
        GRPO,
        Method("DARO", {"weighting": "learned"}),
        Method("DARO, paper's form", {"weighting": "paper"}),
        Method("focal", {"weighting": "focal"}),
        Method("MaxRL", {"weighting": "maxrl"}),
        Method("easy", {"weighting": "easy"}),
        LIPO,
        DR_GRPO,
    )
}
RESULTS = Path(__file__).parent / "results"
SIZES = {
    "cpu": {"num_prompts": 8, "micro_batch": 2, "generation_batch": 96, "num_held_out": 48, "dtype": "float32"},
    "cuda": {"num_prompts": 64, "micro_batch": 16, "generation_batch": 1024, "num_held_out": 160, "dtype": "bfloat16"},
}
"""Defaults by device. On a processor bfloat16 is no faster at these sizes: casting the weights costs what it saves."""


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    text = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m benchmarks.real_model", description=benchmarks.real_model.__doc__, formatter_class=text
    )
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=["GRPO", "DARO"], metavar="METHOD")
    parser.add_argument("--seeds", type=int, default=1, help="seeds 0 .. SEEDS - 1")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--evaluate-every", type=int, default=10)
    parser.add_argument("--lr", type=float, nargs="+", default=[6e-6], help="with several, the better one is reported")
    parser.add_argument("--device", choices=SIZES, default="cpu")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], help="default: float32 on cpu, bfloat16 on cuda")
    parser.add_argument("--prompts", type=int, dest="num_prompts", help="per step; default 8 on cpu, 64 on cuda")
    parser.add_argument("--group", type=int, dest="group_size", help="responses to each; default 8")
    parser.add_argument("--mini-batches", type=int, dest="num_mini_batches", help="optimizer steps per round; 1")
    parser.add_argument("--micro-batch", type=int, help="prompts that are trained at once; default 2 or 16")
    parser.add_argument("--generation-batch", type=int, help="responses sampled at once; default 96 or 1024")
    parser.add_argument("--max-response", type=int, dest="max_response_length", help="tokens; default 48")
    parser.add_argument("--held-out", type=int, dest="num_held_out", help="problems; default 48 or 160")
    parser.add_argument("--save-every", type=int, default=1, help="steps between saved states")
    parser.add_argument("--processes", type=int, help="runs at once, each on its share of the cores; default 2 or 1")
    parser.add_argument("--model", type=Path, default=MODEL, help=f"Hugging Face directory; {MODEL} is made if missing")
    parser.add_argument("--out", type=Path, default=Path("outputs/real_model"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--tables-only", action="store_true", help="from the runs that are finished")
    return parser.parse_args(arguments)


def study_of(args: argparse.Namespace) -> LanguageStudy:
    """What the arguments ask for."""
    given = {name: value for name in LanguageRegime.__dataclass_fields__ if (value := vars(args).get(name)) is not None}
    regime = LanguageRegime(**{**SIZES[args.device], **given, "model": str(args.model)})
    return LanguageStudy(
        f"smollm2-{args.device}",
        "Which weighting learns fastest on a real pretrained model?",
        tuple(METHODS[name] for name in args.methods),
        regimes=(regime.name,),
        learning_rates=tuple(args.lr),
        seeds=tuple(range(args.seeds)),
        schedule=Schedule(args.steps, args.evaluate_every),
        drawn=tuple(METHODS[name] for name in args.methods if name.startswith("DARO")),
        regime=regime,
    )


def main(arguments: list[str] | None = None) -> None:
    args, console = parse(arguments), Console()
    study = study_of(args)
    if not args.tables_only:
        if args.model == MODEL:
            write_smollm2(MODEL)
        runs = [run for run in study.runs() if not run.file(args.out).exists()]
        processes = (2 if args.device == "cpu" else 1) if args.processes is None else args.processes
        threads = max(1, len(os.sched_getaffinity(0)) // max(1, processes))
        work = partial(execute, folder=args.out, commit=commit(), threads=threads, save_every=args.save_every)
        try:
            work_off([(RUNS, work, runs)], processes, console)
        except KeyboardInterrupt:
            sys.exit("Interrupted. The same command goes on after the last finished step of each run.")
    for path in write_report([study], args.out, args.results):
        console.print(path, soft_wrap=True)


if __name__ == "__main__":
    main()
