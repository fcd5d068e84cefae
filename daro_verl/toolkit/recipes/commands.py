"""``daro recipe``: check a recipe, and start it."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from daro_verl.errors import DaroConfigError, DaroError
from daro_verl.toolkit.models.shape import Shape
from daro_verl.toolkit.recipes import gpu_smoke, output, smoke
from daro_verl.toolkit.recipes.compose import as_yaml, compose_job
from daro_verl.toolkit.recipes.disk import checkpoints_of, in_words, table_problems, table_size
from daro_verl.toolkit.recipes.memory import GB
from daro_verl.toolkit.recipes.plan import child_environment, command_of, plan
from daro_verl.toolkit.recipes.setting_rules import METHOD_NAMES
from daro_verl.toolkit.recipes.show import print_plan


def recipe(
    overrides: Annotated[list[str] | None, typer.Argument(help="Hydra overrides, KEY=VALUE; they win")] = None,
    config_dir: Annotated[Path, typer.Option(help="folder with daro.yaml")] = Path("recipes/config"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="check and print, and start nothing")] = False,
) -> None:
    """Check a recipe on this machine, then become verl.trainer.main_ppo.

    Example: METHOD=grpo daro recipe --dry-run base_model=qwen2.5_math_7b trainer.save_freq=10
    """
    if os.environ.get("SMOKE") == "1":  # before verl is imported, so that its checks are those of the platform
        os.environ.update(smoke.ENVIRONMENT)
    raise typer.Exit(start(config_dir, overrides or [], os.environ, dry_run))


def table_disk(
    models: Annotated[list[str], typer.Argument(help="files of base_model/, and KEY=VALUE arguments of the trainings")],
    config_dir: Annotated[Path, typer.Option(help="folder with daro.yaml")] = Path("recipes/config"),
    methods: Annotated[int, typer.Option(min=1, help="trainings of each model")] = len(METHOD_NAMES),
    out: Annotated[Path, typer.Option(help="where the runs are or will be")] = Path("outputs"),
) -> None:
    """What the paper's table takes on the disk, and whether there is room. Exit code 2: no.

    Example: daro table-disk qwen2.5_math_7b llama3.1_8b
    """
    overrides, runs = [text for text in models if "=" in text], []
    for name in [text for text in models if "=" not in text]:
        config = compose_job(config_dir, [f"base_model={name}", *overrides])
        found = checkpoints_of(config, Shape(**config.recipe.published))
        runs += [found] * methods
        print(f"{name}: {in_words(found)} while it trains, then weights of {found.weights / GB:.1f} GB a method")
    needed = table_size(runs)
    print(f"disk: about {needed / GB:.0f} GB at most (an estimate)")
    if problems := table_problems(needed, out.absolute()):
        raise DaroConfigError.of(problems)


def start(folder: Path, arguments: Sequence[str], environment: Mapping[str, str], dry_run: bool = False) -> int:
    """Check, and in a dry run print; otherwise become verl. 2: something is wrong, each line a problem."""
    dry_run = dry_run or environment.get("DRY_RUN") == "1"
    try:
        if environment.get("GPU_SMOKE") == "1" and not dry_run:
            return gpu_smoke.start(folder, arguments, environment)
        planned = plan(folder, arguments, environment, dry_run)
        if not planned.asked.dry_run:
            output.claim(planned.config)
    except DaroError as error:
        print(error, file=sys.stderr)
        return 2
    command = command_of(folder, planned)
    print_plan(planned, command)
    if planned.asked.dry_run:
        print(as_yaml(planned.config), end="")
        return 0
    os.execve(command[0], command, child_environment(planned.asked, environment))
