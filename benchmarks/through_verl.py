"""The comparison of weightings through verl itself: the quickstart's job for each method and seed, one by one.

Every job starts from the same warm-started model; a seed is the order of the training prompts (sampling differs in
every run). Held-out pass rate before, on the way and after. A stopped benchmark goes on where it was.

    python -m benchmarks.through_verl --out benchmarks/results/through_verl.json   # 10 minutes per method and seed
"""

import argparse
import itertools
import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.cost.machine import commit
from daro_verl.config import DaroConfig
from examples.quickstart.history import held_out_by_level, read_attempts, training_steps
from examples.quickstart.job import REPOSITORY
from examples.quickstart.sums import TASK
from examples.quickstart.sums.warm_start import warm_start

METHODS = {"GRPO": "grpo", "DARO": "learned", "DARO, paper's form": "paper"}
"""The weighting of each; the other options are its defaults."""
VALIDATIONS = 4  # over a run, and one before it


def run(folder: Path, method: str, seed: int, steps: int) -> dict[str, float]:
    """One job, or its result if it is there already."""
    warm_start(folder / "model")
    output = folder / f"{slug(method)}-seed{seed}"
    output.mkdir(exist_ok=True)
    if not (output / "model").exists():
        (output / "model").symlink_to(folder / "model")
    command = [sys.executable, "-m", "examples.quickstart", "--model", "tiny"]
    command += ["--output", str(output), "--steps", str(steps)]
    command += [f"data.seed={seed}", f"trainer.test_freq={steps // VALIDATIONS}"]
    command.append(f"+algorithm.daro.weighting={METHODS[method]}")
    subprocess.run(command, cwd=REPOSITORY, check=True)
    return measure(read_attempts(output / "daro" / "attempts"))


def slug(method: str) -> str:
    """A folder's name: the method's words, joined by hyphens."""
    return "-".join(re.findall(r"\w+", method)).lower()


def measure(history: dict[int, dict]) -> dict[str, float]:
    """Pass rates in [0, 1]: held out at the start, in the end, and the mean of all validations; and in training."""
    validated = {step: held_out_by_level(metrics, TASK.sources) for step, metrics in history.items()}
    rates = [sum(levels.values()) / len(levels) for _, levels in sorted(validated.items()) if levels]
    scores = [metrics["critic/score/mean"] for metrics in training_steps(history).values()]
    return {
        "held out, start": rates[0],
        "held out, end": rates[-1],
        "held out, mean over training": sum(rates) / len(rates),
        "training score, mean": sum(scores) / len(scores),
    }


def show(results: pd.DataFrame) -> None:
    """Means over the seeds, with the standard error of each."""
    groups = results.groupby("method", sort=False)
    means, errors = groups.mean(numeric_only=True), groups.sem(numeric_only=True)
    columns = [column for column in means.columns if column != "seed"]
    table = Table("method", "seeds", *columns, title="The quickstart's job by weighting")
    for method in means.index:
        cells = [f"{means.loc[method, name]:.3f} +- {errors.loc[method, name]:.3f}" for name in columns]
        table.add_row(method, str(len(groups.get_group(method))), *cells)
    Console(width=140).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "outputs" / "through_verl")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows, jobs = [], list(itertools.product(range(1, args.seeds + 1), args.methods))
    for seed, method in track(jobs, "jobs", console=Console(stderr=True), auto_refresh=False):
        rows.append({"method": method, "seed": seed, **run(args.folder.resolve(), method, seed, args.steps)})
        show(pd.DataFrame(rows))
    if args.out:
        packages = {name: version(name) for name in ("verl", "megatron-core", "torch", "daro-verl")}
        command = f"python -m benchmarks.through_verl --seeds {args.seeds} --steps {args.steps}"
        options = {name: DaroConfig.from_mapping({"weighting": METHODS[name]}).to_dict() for name in args.methods}
        about = {"command": command, "commit": commit(), "versions": packages}
        result = {**about, "methods": options, "runs": rows}
        args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
