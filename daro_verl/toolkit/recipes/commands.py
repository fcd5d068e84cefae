"""``daro recipe``: check a recipe, and start it."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from daro_verl.errors import DaroError
from daro_verl.toolkit.recipes import output
from daro_verl.toolkit.recipes.compose import CONFIG_NAME, as_yaml
from daro_verl.toolkit.recipes.plan import child_environment, plan
from daro_verl.toolkit.recipes.show import print_plan


def recipe(
    overrides: Annotated[list[str] | None, typer.Argument(help="Hydra overrides, KEY=VALUE; they win")] = None,
    config_dir: Annotated[Path, typer.Option(help="folder with daro.yaml")] = Path("recipes/config"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="check and print, and start nothing")] = False,
) -> None:
    """Check a recipe on this machine, then become verl.trainer.main_ppo.

    Example: METHOD=grpo daro recipe --dry-run base_model=qwen2.5_math_7b trainer.save_freq=10
    """
    raise typer.Exit(start(config_dir, overrides or [], os.environ, dry_run))


def start(folder: Path, arguments: Sequence[str], environment: Mapping[str, str], dry_run: bool = False) -> int:
    """Check, and in a dry run print; otherwise become verl. 2: something is wrong, each line a problem."""
    try:
        planned = plan(folder, arguments, environment, dry_run)
        if not planned.asked.dry_run:
            output.claim(planned.config)
    except DaroError as error:
        print(error, file=sys.stderr)
        return 2
    place = ["--config-path", str(folder.absolute()), "--config-name", CONFIG_NAME]
    command = [sys.executable, "-m", "verl.trainer.main_ppo", *place, *planned.overrides]
    print_plan(planned, command)
    if planned.asked.dry_run:
        print(as_yaml(planned.config), end="")
        return 0
    os.execve(command[0], command, child_environment(planned.asked, environment))
