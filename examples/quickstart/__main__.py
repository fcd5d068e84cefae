"""``python -m examples.quickstart``: DARO on a machine without a GPU, from nothing to a summary. See README.md."""

import argparse
import json
import os
import signal
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from daro_verl.errors import DaroDataError
from daro_verl.platform.overrides import ROLLOUTS
from examples.quickstart.history import held_out_by_level, read_attempts
from examples.quickstart.job import METHODS, REPOSITORY, Job
from examples.quickstart.process_tree import ProcessTree
from examples.quickstart.progress import StepLines, duration, follow
from examples.quickstart.smollm2 import TASK as SMOLLM2
from examples.quickstart.summary import summarise
from examples.quickstart.sums import TASK as SUMS

TASKS = {"smollm2": SMOLLM2, "tiny": SUMS}
DEFAULT, FALLBACK = TASKS
SMOKE_STEPS = 2
TAIL_LINES = 30


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    method = "grpo" if os.environ.get("GRPO") == "1" else "daro"
    parser = argparse.ArgumentParser(prog="python -m examples.quickstart", description=__doc__)
    parser.add_argument(
        "--method", choices=METHODS, default=method, help="The advantage estimator. Default: daro. GRPO=1 selects grpo."
    )
    model = os.environ.get("MODEL") or None
    parser.add_argument("--model", default=model, help="smollm2, a real model (default), or tiny. MODEL=tiny: tiny.")
    rollout = os.environ.get("ROLLOUT") or "vllm"
    parser.add_argument("--rollout", default=rollout, help="Engine: vllm (default) or sglang. ROLLOUT=sglang: sglang.")
    parser.add_argument(
        "--steps", type=int, help=f"Number of RL steps. Default: {SMOLLM2.steps} for smollm2, {SUMS.steps} for tiny."
    )
    parser.add_argument("--output", type=Path, help="The directory for all output. Default: below outputs/.")
    parser.add_argument(
        "--smoke", action="store_true", help="Run two steps of everything as a test. It learns nothing."
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="verl's settings. They override defaults.")
    arguments = parser.parse_intermixed_args(argv)
    for override in arguments.overrides:
        if "=" not in override:
            parser.error(f"got {override!r}, expected key=value. Give verl's settings as key=value.")
    arguments.may_fall_back = arguments.model is None and arguments.output is None
    arguments.model = arguments.model or DEFAULT
    if arguments.model not in TASKS:
        parser.error(f"--model: got {arguments.model!r}, expected one of {tuple(TASKS)}. Leave it out for {DEFAULT}.")
    if arguments.rollout not in ROLLOUTS:
        parser.error(f"--rollout: got {arguments.rollout!r}, expected one of {ROLLOUTS}. Leave it out for vllm.")
    if find_spec(arguments.rollout) is None:
        fix = f"Run `ROLLOUT={arguments.rollout} make quickstart`, which has an environment with it."
        parser.error(f"--rollout: got {arguments.rollout!r}, expected an engine that is installed here. {fix}")
    return arguments


def prepare(arguments: argparse.Namespace) -> Job:
    """Prepare data and model, which both methods share, and the job. If the default model is missing, use the toy."""
    print("1/4  data and model", flush=True)
    try:
        return job_of(arguments, arguments.model)
    except DaroDataError as error:
        if not arguments.may_fall_back:
            raise
        print(f"{error}\nGoing on with MODEL={FALLBACK}, a model that is made here.", file=sys.stderr, flush=True)
        return job_of(arguments, FALLBACK)


def job_of(arguments: argparse.Namespace, model: str) -> Job:
    task = TASKS[model]
    name = "-".join(["quickstart", model, *["smoke"] * arguments.smoke])
    output = (arguments.output or REPOSITORY / "outputs" / name).resolve()
    start = task.prepare(output, arguments.smoke)
    for line in start.lines:
        print(f"     {line}", flush=True)
    engine = "" if arguments.rollout == "vllm" else f"-{arguments.rollout}"
    return Job(
        task=task,
        start=start,
        method=arguments.method,
        steps=arguments.steps or (SMOKE_STEPS if arguments.smoke else task.steps),
        directory=output / f"{arguments.method}{engine}",
        extra=tuple(arguments.overrides),
        rollout=arguments.rollout,
    )


def is_complete(job: Job) -> bool:
    """Whether the last step was validated. verl itself resumes an unfinished job."""
    return bool(held_out_by_level(read_attempts(job.attempts).get(job.steps, {}), job.task.sources))


def train(job: Job) -> int:
    """Run one attempt at the RL job, from its last checkpoint on. Returns verl's exit status."""
    attempt, start = job.next_attempt(), time.monotonic()
    log = attempt.with_suffix(".log")
    resumed = f", resumed from step {step}" if (step := job.checkpointed_step()) else ""
    print(f"2/4  verl.trainer.main_ppo, {job.method}{resumed}; its output: {log}", flush=True)
    ranks = f"Ray, Megatron actors and {job.rollout} servers ({job.task.num_devices} each)"
    print(f"3/4  {ranks} start (1 to 3 minutes), then RL", flush=True)
    tree = ProcessTree(job.command(), job.environment(attempt), log, job.directory)
    try:
        lines = StepLines(job.steps, job.task.sources)
        return follow(tree, attempt.with_suffix(".jsonl"), lines, lambda line: print(f"     {line}", flush=True))
    finally:
        print(f"     stopping verl after {duration(time.monotonic() - start)}", flush=True)
        tree.stop()
        cost = {"seconds": time.monotonic() - start, "peak_memory": tree.peak_memory}
        attempt.with_suffix(".cost.json").write_text(json.dumps(cost))


def fail(job: Job) -> int:
    """Print the last lines of verl's output."""
    log = sorted(job.attempts.glob("*.log"))[-1]
    print("".join(log.read_text(errors="replace").splitlines(keepends=True)[-TAIL_LINES:]), file=sys.stderr)
    print(f"verl failed. Its whole output: {log}\nRun the same command again to resume.", file=sys.stderr)
    return 1


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM ends the run like Ctrl-C
    arguments = parse()
    try:
        job = prepare(arguments)
        if is_complete(job):
            print(f"2/4  {job.method} has its {job.steps} steps already; remove {job.directory} to train again")
        else:
            train(job)
            if not is_complete(job):
                return fail(job)
    except DaroDataError as error:
        print(f"{error}\nMODEL={FALLBACK} trains a model that is made here.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted. Run the same command again to resume from the last checkpoint.", file=sys.stderr)
        return 130
    print(f"4/4  {summarise(job).text()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
