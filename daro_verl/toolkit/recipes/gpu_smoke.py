"""``GPU_SMOKE=1``: run the recipe on this node's GPUs with a tiny model. Train, save, resume, evaluate and report."""

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from daro_verl.errors import DaroConfigError
from daro_verl.toolkit.recipes import gpu_report, output
from daro_verl.toolkit.recipes.gpu_report import Part
from daro_verl.toolkit.recipes.plan import Plan, child_environment, command_of, plan

FOLDER, REPORT, LOG = "outputs/gpu_smoke", "gpu_smoke.md", "gpu_smoke.log"
SAVED_AT, STEPS = 2, 3
FURTHEST = 0.05  # the most rollout_corr/kl in bfloat16; a wrong rotary base or a lost weight gives far more
KL, NORM, VERSION = "rollout_corr/kl", "actor/grad_norm", "actor/daro/weight_version/max"

Run = Callable[[Sequence[str], Mapping[str, str], Path], int]


def start(folder: Path, arguments: Sequence[str], environment: Mapping[str, str], run: "Run | None" = None) -> int:
    """Run all parts, stop at the first failure, and write the report. Returns 0 if all passed, 1 if one failed.

    Args:
        run: runs a command with variables, adds its output to a log, and returns its exit code.

    Raises:
        DaroConfigError: a check refuses the job, and nothing was started.
    """
    run = run or run_and_log
    place = environment.get("OUTPUT") or f"{FOLDER}/{time.strftime('%Y%m%d-%H%M%S')}"
    if output.has_checkpoint(Path(place)):
        fix = "set another OUTPUT, or none: each run then has a new folder"
        raise DaroConfigError("OUTPUT", got=f"{place} with a checkpoint", expected="a new folder", fix=fix)
    own = {**environment, "OUTPUT": place}
    parts: list[Part] = []
    for name, steps in (("train", SAVED_AT), ("resume", STEPS)):
        planned = plan(folder, arguments, {**own, "STEPS": str(steps)})
        output.claim(planned.config)
        parts.append(_train(name, folder, planned, own, run))
        if parts[-1].wrong:
            break
    else:
        parts.append(_evaluate(folder, planned, own, run))
    file = Path(planned.config.recipe.output) / REPORT
    file.write_text(gpu_report.report(planned.config, planned.sizes, parts, _log(planned)))
    print(gpu_report.last_line(planned.config, planned.sizes, parts, file))
    return int(any(part.wrong for part in parts))


def _train(name: str, folder: Path, planned: Plan, environment: Mapping[str, str], run: Run) -> Part:
    """``train`` or ``resume``: run verl's job, and check its metrics."""
    command, began = command_of(folder, planned), time.monotonic()
    code = run(command, child_environment(planned.asked, environment), _log(planned))
    steps = [1, SAVED_AT] if name == "train" else [STEPS]
    log = planned.config.ray_kwargs.ray_init.runtime_env.env_vars.VERL_FILE_LOGGER_PATH
    wrong = [f"exit code {code}"] if code else wrong_metrics(Path(log), steps)
    return Part(name, command, time.monotonic() - began, wrong)


def _evaluate(folder: Path, planned: Plan, environment: Mapping[str, str], run: Run) -> Part:
    """Evaluate two problems of the tiny test file, with as many engines as the job has GPUs."""
    place, config = Path(planned.config.recipe.output), planned.config
    command, began = ["bash", str(folder.absolute().parent / "eval.sh"), str(place / "checkpoints")], time.monotonic()
    settings = {
        "DATA": config.data.val_files[0], "OUT": str(place / "evaluation"), "LIMIT": "2", "TP": "1",
        "DP": str(planned.sizes.gpus),
        "RESPONSE_TOKENS": str(config.data.max_response_length), "ROLLOUT_MEMORY": "0.3", "PYTHON": sys.executable,
        "INFER_BACKEND": config.actor_rollout_ref.rollout.name,
    }  # fmt: skip
    code = run(command, child_environment(planned.asked, environment) | settings, _log(planned))
    there = (place / "evaluation" / "report.json").exists()
    return Part(
        "evaluate",
        command,
        time.monotonic() - began,
        [f"exit code {code}"] * bool(code) + ["no report"] * (not there and not code),
    )


def wrong_metrics(file: Path, steps: Sequence[int]) -> list[str]:
    """The metrics of these steps that a correct step of DARO could not have."""
    found: dict[int, dict[str, float]] = {}
    for line in file.read_text().splitlines() if file.exists() else []:
        row = json.loads(line)
        found.setdefault(row["step"], {}).update(row["data"])
    trained = sorted(step for step, data in found.items() if NORM in data)
    if trained != list(steps):
        return [f"steps {trained}, expected {list(steps)}"]
    wrong = []
    for step in steps:
        data = found[step]
        rows = [
            (math.isfinite(data[NORM]), NORM, data[NORM], "a finite number"),
            (abs(data.get(KL, math.inf)) <= FURTHEST, KL, data.get(KL), f"at most {FURTHEST}"),
            (data.get(VERSION) == 2 * step, VERSION, data.get(VERSION), f"{2 * step}, two updates a step"),
        ]
        wrong += [f"step {step}: {name} {got}, expected {expected}" for right, name, got, expected in rows if not right]
    return wrong


def _log(planned: Plan) -> Path:
    return Path(planned.config.recipe.output) / LOG


def run_and_log(command: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
    """Show the output of the command, and add it to ``log``."""
    with (
        log.open("a") as kept,
        subprocess.Popen(
            command,
            env=dict(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as child,
    ):
        for line in child.stdout or ():
            sys.stdout.write(line)
            kept.write(line)
    return child.returncode
