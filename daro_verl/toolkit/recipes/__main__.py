"""``python -m daro_verl.toolkit.recipes [OVERRIDE ...]``, with every knob in the environment: see ``recipes/common.sh``."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from daro_verl.errors import DaroError, got_expected_fix
from daro_verl.platform.overrides import cpu_overrides
from daro_verl.toolkit.recipes import output, show, smoke, software, tiny_model
from daro_verl.toolkit.recipes.arithmetic import layout_problems, number_problems
from daro_verl.toolkit.recipes.compose import as_yaml, compose_job, problems_of
from daro_verl.toolkit.recipes.errors import DaroRecipeError
from daro_verl.toolkit.recipes.files import look
from daro_verl.toolkit.recipes.job import Job, read_job
from daro_verl.toolkit.recipes.knobs import KNOBS, RECIPE, Values, read_knobs
from daro_verl.toolkit.recipes.memory import GB, Estimate, estimate, memory_problems
from daro_verl.toolkit.recipes.overrides import overrides, without
from daro_verl.toolkit.recipes.prompts import long_prompts

MAIN = ("-m", "verl.trainer.main_ppo")


@dataclass(frozen=True)
class Plan:
    """A job that passed every check. ``notes``: what a user should know of it."""

    values: Values
    overrides: list[str]
    config: DictConfig
    job: Job
    memory: Estimate
    notes: list[str]


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> int:
    """Check, and with ``DRY_RUN`` print; otherwise become verl. 2: something is wrong, each line a problem."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    environment = os.environ if environment is None else environment
    try:
        values = read_knobs(environment)
        if values["SMOKE"] and not values["DRY_RUN"]:
            smoke.build(values)
        planned = plan(values, arguments)
        if not values["DRY_RUN"]:
            output.claim(values, arguments)
    except DaroError as error:
        print(error, file=sys.stderr)
        return 2
    command = [sys.executable, *MAIN, *planned.overrides]
    show.print_all(values, planned.job, planned.memory, planned.notes, command)
    if values["DRY_RUN"]:
        print(as_yaml(planned.config), end="")
        return 0
    os.execve(command[0], command, child_environment(values, environment))


def plan(values: Values, extra: Sequence[str]) -> Plan:
    """Compose the job and check all of it.

    Raises:
        DaroRecipeError: with every problem that was found.
    """
    platform = cpu_overrides(num_devices=values["GPUS"]) if values["SMOKE"] else []
    platform += smoke.OVERRIDES if values["SMOKE"] else []
    whole = overrides(values, output.attempt_settings(Path(values["OUTPUT"])), platform, extra)
    config = compose_job(whole)
    found = look(values)
    if values["SMOKE"] and found.missing:
        found.shape = tiny_model.shape(values[RECIPE])
    job, gpu = read_job(config), values["GPU_MEMORY_GB"] * GB
    memory = estimate(job, found.shape, gpu)
    layout, remarks = layout_problems(job, found.shape)
    refused, warnings = problems_of(config)
    problems = number_problems(job) + layout + memory_problems(job, memory, gpu) + found.problems
    problems += long_prompts(values, job.prompt)
    problems += refused + output.problems_of(values, extra, config) + _cluster_problems(values)
    problems += smoke.problems_of(values, config, without(platform, extra))
    problems += [] if values["DRY_RUN"] else found.missing + software.missing(values)
    if problems:
        raise DaroRecipeError.of(problems)
    return Plan(values, whole, config, job, memory, found.notes + remarks + warnings)


def _cluster_problems(values: Values) -> list[str]:
    if values["NNODES"] == 1 or values["RAY_ADDRESS"] is not None:
        return []
    fix = "`ray start` on every node (docs/recipes/), then RAY_ADDRESS=auto on the first one"
    return [got_expected_fix("NNODES", values["NNODES"], "1, or the RAY_ADDRESS of a cluster", fix)]


def child_environment(values: Values, environment: Mapping[str, str]) -> dict[str, str]:
    """Of verl: without the knobs, whose short names other programs may read, but with Ray's own variable."""
    own = {name: value for name, value in environment.items() if name not in KNOBS and name != RECIPE}
    if values["RAY_ADDRESS"] is not None:
        own["RAY_ADDRESS"] = values["RAY_ADDRESS"]
    return own | (smoke.ENVIRONMENT if values["SMOKE"] else {})


if __name__ == "__main__":
    sys.exit(main())
