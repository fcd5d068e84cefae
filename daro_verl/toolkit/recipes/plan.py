"""Compose the job of a recipe, and run every check."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from daro_verl.errors import DaroConfigError, problem
from daro_verl.toolkit.models.shape import Shape
from daro_verl.toolkit.recipes import gpu_layout, pretrained, smoke, software, tiny_model
from daro_verl.toolkit.recipes.arithmetic import layout_problems, number_problems
from daro_verl.toolkit.recipes.compose import CONFIG_NAME, check_arguments, compose_job, key_of, refusals_of, without
from daro_verl.toolkit.recipes.disk import Checkpoints, checkpoints_of, disk_problems
from daro_verl.toolkit.recipes.files import MODEL, TRAIN, VALIDATION, find_files
from daro_verl.toolkit.recipes.host_memory import host_bytes, host_memory_problems
from daro_verl.toolkit.recipes.memory import GB, Estimate, estimate, memory_problems
from daro_verl.toolkit.recipes.output import attempt_settings, has_checkpoint, output_problems, place_problems
from daro_verl.toolkit.recipes.prompts import long_prompts
from daro_verl.toolkit.recipes.setting_rules import KEY, items_of, value_problems
from daro_verl.toolkit.recipes.shortcuts import VARIABLES, Asked, read_environment, render
from daro_verl.toolkit.recipes.sizes import Sizes, read_sizes
from daro_verl.toolkit.recipes.weight_transfer import BYTES, transfer_problems


@dataclass(frozen=True)
class Plan:
    """A job that passed every check. ``overrides``: those of ``daro.yaml``. ``notes``: remarks for the user."""

    overrides: list[str]
    config: DictConfig
    sizes: Sizes
    memory: Estimate
    checkpoints: Checkpoints
    notes: list[str]
    asked: Asked


def plan(folder: Path, arguments: Sequence[str], environment: Mapping[str, str], dry_run: bool = False) -> Plan:
    """Compose the job and run all checks.

    With ``SMOKE=1`` or ``GPU_SMOKE=1``, model and data are made first, except in a dry run.

    Args:
        folder: the folder of ``daro.yaml``.
        arguments: Hydra overrides. They override the environment.

    Raises:
        DaroConfigError: a check fails. The message lists every problem.
    """
    check_arguments(arguments)
    asked = read_environment(environment)
    asked.dry_run, asked.pretrained = asked.dry_run or dry_run, pretrained.is_asked(asked, arguments)
    overrides, config, problems = _compose(folder, arguments, asked)
    is_smoke = asked.smoke or asked.gpu_smoke
    if is_smoke and not asked.dry_run:
        smoke.build(config, asked.pretrained)
    found = find_files(config)
    if is_smoke and not asked.pretrained and not Path(config.actor_rollout_ref.model.path).exists():
        found.shape = tiny_model.shape(config.recipe.model)
    sizes, gpu = read_sizes(config), config.recipe.gpu_memory_gb * GB
    memory, checkpoints = estimate(sizes, found.shape, gpu), checkpoints_of(config, found.shape)
    layout, remarks = layout_problems(sizes, found.shape)
    refused, warnings = refusals_of(config)
    problems += number_problems(sizes) + layout + memory_problems(sizes, memory, gpu) + found.problems
    problems += transfer_problems(config, found.shape, asked.smoke) + long_prompts(config) + refused
    problems += output_problems(config) + _cluster_problems(sizes, asked)
    problems += [] if asked.dry_run else found.missing + _not_here(config, asked) + disk_problems(config, checkpoints)
    machine = _host_bytes(config, sizes, found.shape) if asked.smoke else 0.0
    problems += [] if asked.dry_run else host_memory_problems(machine)
    if problems:
        raise DaroConfigError.of(problems)
    notes = found.notes + remarks + warnings + (pretrained.notes() if asked.pretrained else [])
    notes += [f"about {machine / GB:.0f} GB of this machine's memory (an estimate)"] if asked.smoke else []
    return Plan(overrides, config, sizes, memory, checkpoints, notes, asked)


def _compose(folder: Path, arguments: Sequence[str], asked: Asked) -> tuple[list[str], DictConfig, list[str]]:
    """Overrides, the configuration, and problems with settings that a smoke run would ignore.

    The configuration is composed twice, because the platform's settings and the absolute paths depend on the first one.
    """
    size = smoke.size_of(asked) if asked.smoke else gpu_layout.settings(asked) if asked.gpu_smoke else []
    shortcuts = without([*without(size, asked.overrides), *asked.overrides], arguments)
    wanted = compose_job(folder, [*shortcuts, *arguments])
    arguments_win = {key_of(argument) for argument in arguments}
    variables = {key: name for key, name in asked.variables.items() if key not in arguments_win}
    if problems := asked.problems + value_problems(wanted, variables):
        raise DaroConfigError.of(problems)
    own = {MODEL: str(pretrained.place(folder))} if asked.pretrained else {}
    paths = [render(*item) for item in (_absolute(wanted) | own).items()]
    platform = without(smoke.platform(wanted, asked) if asked.smoke else [], arguments)
    start = without([render(*item) for item in _of_this_start(wanted, asked).items()], arguments)
    overrides = [*without(shortcuts, [*platform, *paths]), *platform, *start, *without(arguments, paths), *paths]
    config, decided = compose_job(folder, overrides), set(map(key_of, platform))
    ignored = {key: name for key, name in variables.items() if key in decided}
    return overrides, config, smoke.platform_problems(config, wanted, ignored) + place_problems(wanted)


def _of_this_start(config: DictConfig, asked: Asked) -> dict[str, str | list[str]]:
    """Settings that depend on the present state, unless an argument sets them."""
    settings: dict[str, str | list[str]] = {}
    if asked.ray_address is None:  # else Ray joins a cluster that already runs on this node
        settings["++ray_kwargs.ray_init.address"] = "local"
    if has_checkpoint(Path(_path(config.recipe.output))):  # the run was validated at its first start
        settings[KEY["VAL_FIRST"]] = "false"
    return settings


def _absolute(config: DictConfig) -> dict[str, str | list[str]]:
    """Settings with absolute paths, because workers have other working directories, and this attempt's logs."""
    output = _path(config.recipe.output)
    return {
        "recipe.output": output,
        MODEL: _path(config.actor_rollout_ref.model.path),
        TRAIN: [_path(file) for file in items_of(config.data.train_files)],
        VALIDATION: [_path(file) for file in items_of(config.data.val_files)],
        **attempt_settings(Path(output)),
    }


def _path(text: str) -> str:
    return str(Path(text.strip()).expanduser().absolute())


def _host_bytes(config: DictConfig, sizes: Sizes, shape: Shape) -> float:
    dtypes = config.actor_rollout_ref.actor.megatron.dtype, config.actor_rollout_ref.rollout.dtype
    width, server_width = (BYTES.get(dtype, 4) for dtype in dtypes)
    return host_bytes(sizes, shape, width, server_width)


def _not_here(config: DictConfig, asked: Asked) -> list[str]:
    megatron = config.actor_rollout_ref.actor.megatron
    name, loggers = config.actor_rollout_ref.rollout.name, items_of(config.trainer.logger)
    absent = software.missing(name, megatron.vanilla_mbridge, megatron.context_parallel_size, loggers, asked.smoke)
    return absent + (software.smoke_problems() if asked.smoke else [])


def _cluster_problems(sizes: Sizes, asked: Asked) -> list[str]:
    if sizes.nnodes == 1 or asked.ray_address is not None:
        return []
    fix = "run `ray start` on every node (docs/recipes/), then set RAY_ADDRESS=auto on the first one"
    return [problem("NNODES", sizes.nnodes, "1, or the RAY_ADDRESS of a cluster", fix)]


def command_of(folder: Path, planned: Plan) -> list[str]:
    """verl's entry point with the overrides of the plan."""
    place = ["--config-path", str(folder.absolute()), "--config-name", CONFIG_NAME]
    return [sys.executable, "-m", "verl.trainer.main_ppo", *place, *planned.overrides]


def child_environment(asked: Asked, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of verl: with Ray's own variable, without the shortcuts, whose names other programs may read."""
    own = {name: value for name, value in environment.items() if name not in VARIABLES}
    if asked.ray_address is not None:
        own["RAY_ADDRESS"] = asked.ray_address
    return own | (smoke.ENVIRONMENT if asked.smoke else {})
