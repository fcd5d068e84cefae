"""A whole training step: the quickstart's job with GRPO and with DARO in turn, its phases as verl logs them.

The job is verl's ``main_ppo`` with Ray, two Megatron ranks and two vLLM servers. Its generation takes the larger part
of a step, differs with what is sampled, and is looked at every two seconds only: the difference between two jobs' whole
steps is mostly that. DARO only adds a pass rate to each trajectory there, so the row "step, same generation" takes
GRPO's median generation for both, and everything else as it was measured. A stopped part goes on after the last job
that finished.
"""

import subprocess
import sys
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.cost.aims import Aim
from examples.quickstart.history import read_attempts, training_steps
from examples.quickstart.job import REPOSITORY
from examples.quickstart.warm_start import warm_start

TITLE = "Whole step of the quickstart's job"
FOLDER = REPOSITORY / "outputs" / "cost"
JOBS = ("grpo", "daro")
STEPS, WARM_UP = 12, 2
PHASES = ("gen", "old_log_prob", "adv", "update_actor", "update_weights", "step")
SAME_GENERATION = "step, same generation"


def run() -> list[dict[str, Any]]:
    steps: dict[str, list[dict[str, float]]] = {"grpo": [], "daro": []}
    for number, method in enumerate(JOBS):
        steps[method] += run_job(number)
    return rows_of(steps)


def run_job(number: int, folder: Path = FOLDER) -> list[dict[str, float]]:
    """Seconds of each phase of each step after the warm-up, of a job that runs now or has run before."""
    warm_start(folder / "model")
    output = folder / f"{number}-{JOBS[number]}"
    output.mkdir(parents=True, exist_ok=True)
    if not (output / "model").exists():
        (output / "model").symlink_to(folder / "model")
    command = [sys.executable, "-m", "examples.quickstart", "--smoke", "--steps", str(STEPS)]
    command += ["--method", JOBS[number], "--output", str(output), "trainer.save_freq=-1"]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    history = training_steps(read_attempts(output / JOBS[number] / "attempts"))
    return [seconds_of(metrics) for step, metrics in history.items() if step > WARM_UP]


def seconds_of(metrics: dict[str, Any]) -> dict[str, float]:
    return {phase: metrics[f"timing_s/{phase}"] for phase in PHASES if f"timing_s/{phase}" in metrics}


def rows_of(steps: dict[str, list[dict[str, float]]]) -> list[dict[str, Any]]:
    """Medians and quartiles over the steps of all jobs of a method, phase by phase."""
    usual_gen = median(step["gen"] for step in steps["grpo"])
    rows = []
    for phase in (*PHASES, SAME_GENERATION):
        row: dict[str, Any] = {"phase": phase}
        for method, own in steps.items():
            values = [usual_gen + s["step"] - s["gen"] if phase == SAME_GENERATION else s[phase] for s in own]
            low, middle, high = quantiles(values, n=4, method="inclusive")
            row |= {f"{method} s": middle, f"{method} quartiles": [low, high], f"{method} steps": len(values)}
        rows.append(row | {"ratio": row["daro s"] / row["grpo s"]})
    return rows


def aims(rows: list[dict[str, Any]]) -> list[Aim]:
    ratio = {row["phase"]: row["ratio"] for row in rows}
    return [
        Aim("update_actor in the job / GRPO's", ratio.get("update_actor"), 1.01),
        Aim("step / GRPO's, same generation", ratio.get(SAME_GENERATION), 1.02),
    ]
