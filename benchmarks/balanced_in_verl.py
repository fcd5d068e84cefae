"""Balanced against plain dynamic sampling in verl itself: the quickstart's job twice, with a model that stands still.

The model's learning rate is 1e-12, so what varies from step to step is sampling and not learning. verl may have several
batches of prompts in flight, filters pass rates 0 and 1, and has more groups than it trains on: the surplus. Both logs
are cut where the next step would go beyond the fewest responses that a job generated in all. Shown per bin: prompts per
step, and the standard deviation over the steps of ``L_k`` as the actors measure it.

    python -m benchmarks.balanced_in_verl --out benchmarks/results/balanced_in_verl.json   # about 6 minutes a job
"""

import argparse
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.through_verl import slug
from examples.quickstart.history import per_bin, read_attempts, training_steps
from examples.quickstart.job import REPOSITORY
from examples.quickstart.pass_rates import GROUP_SIZE
from examples.quickstart.warm_start import warm_start

METHODS = {"plain": [], "balanced": ["+algorithm.daro.balanced_sampling=True"]}
BINS = range(1, GROUP_SIZE)


def overrides(steps: int, batches: int) -> list[str]:
    """Of both jobs."""
    return [
        "actor_rollout_ref.actor.optim.lr=1e-12",
        "algorithm.filter_groups.enable=True",
        "algorithm.filter_groups.metric=acc",
        f"algorithm.filter_groups.max_inflight_gen_batches={batches}",
        f"trainer.save_freq={steps}",
    ]


def run(folder: Path, method: str, steps: int, batches: int) -> list[dict]:
    """One job's metrics by training step; a finished one is not run again."""
    output = folder / slug(method)
    output.mkdir(parents=True, exist_ok=True)
    warm_start(folder / "model")
    if not (output / "model").exists():
        (output / "model").symlink_to(folder / "model")
    if len(training_steps(read_attempts(output / "daro" / "attempts"))) < steps:
        command = [sys.executable, "-m", "examples.quickstart", "--output", str(output), "--steps", str(steps)]
        subprocess.run([*command, *overrides(steps, batches), *METHODS[method]], cwd=REPOSITORY, check=True)
    return list(training_steps(read_attempts(output / "daro" / "attempts")).values())


def at_equal_responses(logs: dict[str, list[dict]]) -> dict[str, list[dict]]:
    """The first steps of each log, as far as the responses go that every log has."""
    limit = min(rows[-1]["daro/responses/generated_so_far"] for rows in logs.values())
    return {
        name: [row for row in rows if row["daro/responses/generated_so_far"] <= limit] for name, rows in logs.items()
    }


def measure(rows: list[dict]) -> dict:
    """From the metrics of the training steps; the loss of a bin where it was present."""
    counts = np.array([[row["daro/num_prompts"] * per_bin(row, "daro/pass_rate")[k] for k in BINS] for row in rows])
    losses = [[per_bin(row, "actor/daro/loss").get(k) for row in rows] for k in BINS]
    present = [np.array([loss for loss in of_bin if loss is not None]) for of_bin in losses]
    last = rows[-1]
    return {
        "steps": len(rows),
        "responses_generated": last["daro/responses/generated_so_far"],
        "responses_discarded": last["daro/responses/discarded_so_far"],
        "surplus_groups": sum(row.get("training/filter_groups/discarded_surplus_samples", 0) for row in rows),
        "smallest_bin_mean": counts.min(1).mean(),
        "steps_with_an_absent_bin": int((counts.min(1) < 0.5).sum()),
        "prompts": dict(zip(map(str, BINS), counts.mean(0).tolist(), strict=True)),
        "loss_std": {str(k): x.std(ddof=1) if len(x) > 1 else None for k, x in zip(BINS, present, strict=True)},
        "rows": [
            {"prompts": n.tolist(), "losses": of} for n, of in zip(counts, zip(*losses, strict=True), strict=True)
        ],
    }


def show(results: dict[str, dict]) -> None:
    """Both, side by side."""
    table = Table("", *results, title="The quickstart's job, its model standing still")
    for name in ("steps", "responses_generated", "responses_discarded", "surplus_groups", "smallest_bin_mean"):
        table.add_row(name.replace("_", " "), *(f"{result[name]:g}" for result in results.values()))
    table.add_row("steps with an absent bin", *(str(result["steps_with_an_absent_bin"]) for result in results.values()))
    for k in map(str, BINS):
        cells = [(result["prompts"][k], result["loss_std"][k]) for result in results.values()]
        shown = ("not measured" if loss is None else f"{loss:.4f}" for _, loss in cells)
        table.add_row(f"{k}of{GROUP_SIZE}: prompts per step", *(f"{count:.2f}" for count, _ in cells))
        table.add_row(f"{k}of{GROUP_SIZE}: deviation of L", *shown)
    Console(width=110).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--batches", type=int, default=3, help="batches of prompts that may be in flight at once")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "outputs" / "balanced_in_verl")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    logs = {name: run(args.folder.resolve(), name, args.steps, args.batches) for name in METHODS}
    results = {name: measure(rows) for name, rows in at_equal_responses(logs).items()}
    show(results)
    if args.out:
        packages = {name: version(name) for name in ("verl", "megatron-core", "torch", "daro-verl")}
        command = f"python -m benchmarks.balanced_in_verl --steps {args.steps} --batches {args.batches}"
        args.out.write_text(json.dumps({"command": command, "versions": packages, **results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
