"""A whole training step: the quickstart's job with GRPO and with DARO in turn, its phases as verl logs them.

The job is verl's ``main_ppo`` with Ray, two Megatron ranks and two vLLM servers. Two jobs differ in their samples and
in other work on the machine. That difference is larger than the one of interest. So the table has two more rows, with
GRPO's medians for the phases that DARO's code does not change:

- generation;
- ``old_log_prob``, a forward pass of the same tokens on the same ranks just before the update. Its time also shows how
  long the responses were and how busy the machine was in that step.

A stopped part goes on after the last job that finished on this commit.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.cost import machine
from benchmarks.cost.aims import Aim
from examples.quickstart.history import read_attempts, training_steps
from examples.quickstart.job import REPOSITORY
from examples.quickstart.sums.warm_start import warm_start

TITLE = "Whole step of the quickstart's job"
FOLDER = REPOSITORY / "outputs" / "cost"
JOBS = ("grpo", "daro", "daro", "grpo")
STEPS, WARM_UP = 12, 2
PHASES = ("gen", "old_log_prob", "adv", "update_actor", "update_weights", "step")
CONTROLLED_UPDATE = "update_actor, same old_log_prob"
CONTROLLED_STEP = "step, same generation and old_log_prob"


def run() -> list[dict[str, Any]]:
    steps: dict[str, list[dict[str, float]]] = {"grpo": [], "daro": []}
    with folder_of(machine.commit(), FOLDER) as folder:
        for number, method in enumerate(JOBS):
            steps[method] += run_job(number, folder)
    return rows_of(steps)


@contextmanager
def folder_of(commit: str, root: Path) -> Iterator[Path]:
    """Where the jobs of a commit are kept, so that those that finished are not run again; one that is thrown away where
    the package differs from its commit (``+``), because nothing says how."""
    root.mkdir(parents=True, exist_ok=True)
    if not commit.endswith("+"):
        yield root / commit
        return
    with tempfile.TemporaryDirectory(prefix=commit, dir=root) as folder:
        yield Path(folder)


def run_job(number: int, folder: Path) -> list[dict[str, float]]:
    """Seconds of each phase of each step after the warm-up, of a job that runs now or has run before in ``folder``."""
    warm_start(folder / "model")
    output = folder / f"{number}-{JOBS[number]}"
    output.mkdir(parents=True, exist_ok=True)
    if not (output / "model").exists():
        (output / "model").symlink_to(folder / "model")
    command = [sys.executable, "-m", "examples.quickstart", "--model", "tiny", "--smoke", "--steps", str(STEPS)]
    command += ["--method", JOBS[number], "--output", str(output), "trainer.save_freq=-1"]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    history = training_steps(read_attempts(output / JOBS[number] / "attempts"))
    return [seconds_of(metrics) for step, metrics in history.items() if step > WARM_UP]


def seconds_of(metrics: dict[str, Any]) -> dict[str, float]:
    return {phase: metrics[f"timing_s/{phase}"] for phase in PHASES if f"timing_s/{phase}" in metrics}


def rows_of(steps: dict[str, list[dict[str, float]]]) -> list[dict[str, Any]]:
    """Medians and quartiles over the steps of all jobs of a method, phase by phase."""
    usual_gen, usual_forward = (median(step[phase] for step in steps["grpo"]) for phase in ("gen", "old_log_prob"))
    rows = []
    for phase in (*PHASES, CONTROLLED_UPDATE, CONTROLLED_STEP):
        row: dict[str, Any] = {"phase": phase}
        for method, own in steps.items():
            values = [(step | controlled(step, usual_gen, usual_forward))[phase] for step in own]
            low, middle, high = quantiles(values, n=4, method="inclusive")
            row |= {f"{method} s": middle, f"{method} quartiles": [low, high], f"{method} steps": len(own)}
        rows.append(row | {"ratio": row["daro s"] / row["grpo s"]})
    return rows


def controlled(step: dict[str, float], usual_gen: float, usual_forward: float) -> dict[str, float]:
    """A step's seconds as if its generation and forward pass had taken the usual time."""
    update = step["update_actor"] * usual_forward / step["old_log_prob"]
    rest = step["step"] - step["gen"] - step["old_log_prob"] - step["update_actor"]
    return {CONTROLLED_UPDATE: update, CONTROLLED_STEP: usual_gen + usual_forward + update + rest}


def aims(rows: list[dict[str, Any]]) -> list[Aim]:
    """As measured; and controlled, where the quartiles of DARO's steps over GRPO's median say what is resolved."""
    found = {row["phase"]: row for row in rows}

    def aim(phase: str, bound: float) -> Aim:
        row = found.get(phase)
        quartiles = row and phase not in PHASES and [seconds / row["grpo s"] for seconds in row["daro quartiles"]]
        return Aim(f"{phase} in the job / GRPO's", row and row["ratio"], bound, quartiles or None)

    bounds = {"update_actor": 1.01, CONTROLLED_UPDATE: 1.01, "step": 1.02, CONTROLLED_STEP: 1.02}
    return [aim(phase, bound) for phase, bound in bounds.items()]
