"""``daro recipe``: check a recipe, and start it."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from daro_verl.errors import DaroError
from daro_verl.toolkit.recipes import gpu_smoke, output, smoke
from daro_verl.toolkit.recipes.compose import as_yaml
from daro_verl.toolkit.recipes.plan import child_environment, command_of, plan
from daro_verl.toolkit.recipes.show import print_plan


def recipe(
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Hydra overrides, KEY=VALUE. They override environment variables.")
    ] = None,
    config_dir: Annotated[Path, typer.Option(help="The folder with daro.yaml.")] = Path("recipes/config"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and print, but start nothing.")] = False,
) -> None:
    """Check a recipe on this machine, then start verl.trainer.main_ppo in this process.

    Example: METHOD=grpo daro recipe --dry-run base_model=qwen2.5_math_7b trainer.save_freq=10
    """
    if os.environ.get("SMOKE") == "1":  # before verl is imported, so that verl checks for the CPU platform
        os.environ.update(smoke.ENVIRONMENT)
    raise typer.Exit(start(config_dir, overrides or [], os.environ, dry_run))


def start(folder: Path, arguments: Sequence[str], environment: Mapping[str, str], dry_run: bool = False) -> int:
    """Check the job. Then print it in a dry run, else become verl. Returns 2 after printing problems, one a line."""
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
