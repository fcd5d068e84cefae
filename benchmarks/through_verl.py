"""Weightings through verl itself on a pretrained model: the quickstart's job for each method and seed, one by one.

verl's own trainer, a Megatron actor and a vLLM server train SmolLM2-135M-Instruct. A seed is the order of the training
prompts; sampling differs in every run. Validated half way and at the end: the start is the same model for all.
A benchmark that was stopped goes on where it was, also within a job; jobs in the results are not run again, also where
their folders are gone. So seeds can be added one night at a time, on any machine with the same settings.

    python -m benchmarks.through_verl --seeds 3      # 15 jobs, each as long as `make quickstart`
    python -m benchmarks.through_verl --tables-only  # of the jobs that are finished

Jobs are under ``outputs/through_verl``, results and their table under ``benchmarks/results``.
"""

import argparse
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown

from benchmarks.convergence.measures import Estimate
from benchmarks.convergence.report.cells import NOT_RUN, table
from benchmarks.cost.machine import describe
from daro_verl.config import DaroConfig
from examples.quickstart.history import held_out_by_level, read_attempts, training_steps
from examples.quickstart.job import REPOSITORY
from examples.quickstart.smollm2 import TASK

METHODS = {"GRPO": "grpo", "DARO": "learned", "DARO, paper's form": "paper", "F-GRPO": "focal", "LIPO": "lipo"}
"""The weighting of each; the other options are its defaults. The first is what the others differ from."""
RESULTS = REPOSITORY / "benchmarks" / "results" / "through_verl.json"
END, MEAN = "held out, end", "held out, mean over training"
Run = dict[str, Any]


def folder_of(folder: Path, method: str, seed: int) -> Path:
    """Of one job: the method's words, joined by hyphens, and the seed."""
    return folder / f"{'-'.join(re.findall(r'[a-z]+', method.lower()))}-seed{seed}"


def train(folder: Path, method: str, seed: int, steps: int) -> None:
    """One job, from where it is; nothing where it is finished."""
    command = [sys.executable, "-m", "examples.quickstart", "--model", "smollm2", "--method", "daro"]
    command += ["--output", str(folder_of(folder, method, seed)), "--steps", str(steps)]
    command += [f"data.seed={seed}", f"trainer.test_freq={steps // 2}", "trainer.val_before_train=False"]
    command += [f"+algorithm.daro.weighting={METHODS[method]}"]
    subprocess.run(command, cwd=REPOSITORY, check=True)


def measure(history: dict[int, dict], steps: int) -> dict[str, float] | None:
    """Pass rates in [0, 1], of the held-out problems (mean of the levels) and in training; None before the end."""
    validated = {step: held_out_by_level(metrics, TASK.sources) for step, metrics in history.items() if step}
    rates = {step: sum(levels.values()) / len(levels) for step, levels in validated.items() if levels}
    if steps not in rates:
        return None
    trained = training_steps(history).values()
    return {
        "held out, half way": rates[steps // 2],
        END: rates[steps],
        MEAN: sum(rates.values()) / len(rates),
        "training score, mean": sum(metrics["critic/score/mean"] for metrics in trained) / len(trained),
        "minutes": sum(metrics["perf/time_per_step"] for metrics in trained) / 60,
    }


def settings(steps: int) -> dict[str, Any]:
    """What results must have in common to be of one table."""
    return {
        "steps": steps,
        "methods": {name: DaroConfig.from_mapping({"weighting": METHODS[name]}).to_dict() for name in METHODS},
    }


def recorded(results: Path, steps: int) -> list[Run]:
    """The runs of earlier benchmarks with the same settings; none where the settings were others."""
    known = json.loads(results.read_text()) if results.exists() else {}
    own = json.loads(json.dumps(settings(steps)))
    return known["runs"] if {key: known.get(key) for key in own} == own else []


def record(results: Path, steps: int, runs: list[Run]) -> None:
    """Runs and their table."""
    results.write_text(json.dumps({**describe(), **settings(steps), "runs": runs}, indent=1) + "\n")
    results.with_suffix(".md").write_text(report(runs) + "\n")


def report(runs: list[Run]) -> str:
    """A table with a row per method, standard errors over seeds and differences paired by seed."""
    first = next(iter(METHODS))
    header = ["method", "seeds", END, f"{first}'s less", MEAN, f"{first}'s less"]
    by_method = {name: {run["seed"]: run for run in runs if run["method"] == name} for name in METHODS}
    rows = []
    for name, own in by_method.items():
        paired = sorted(own.keys() & by_method[first].keys()) if name != first else []
        cells = [name, str(len(own))]
        for measured in (END, MEAN):
            cells.append(Estimate.of([run[measured] for run in own.values()]).show() if own else NOT_RUN)
            gaps = [own[seed][measured] - by_method[first][seed][measured] for seed in paired]
            cells.append(Estimate.of(gaps).show(signed=True) if gaps else "" if name == first else NOT_RUN)
        rows.append(cells)
    return table(header, rows)


def main() -> None:
    text = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.through_verl", description=__doc__, formatter_class=text)
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0 .. SEEDS - 1")
    parser.add_argument("--steps", type=int, default=TASK.steps)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), metavar="METHOD")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "outputs" / "through_verl")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--tables-only", action="store_true", help="of the jobs that are finished")
    args = parser.parse_args()
    folder, runs = args.folder.resolve(), recorded(args.out, args.steps)
    for seed, method in itertools.product(range(args.seeds), args.methods):
        if any((run["method"], run["seed"]) == (method, seed) for run in runs):
            continue
        if not args.tables_only:
            print(f"{method}, seed {seed}", flush=True)
            train(folder, method, seed, args.steps)
        history = read_attempts(folder_of(folder, method, seed) / "daro" / "attempts")
        if found := measure(history, args.steps):
            runs.append({"method": method, "seed": seed, **found})
            record(args.out, args.steps, runs)
    Console().print(Markdown(report(runs)))


if __name__ == "__main__":
    main()
