"""``daro table-disk``: the disk space of the paper's table."""

from pathlib import Path
from typing import Annotated

import typer

from daro_verl.errors import DaroConfigError
from daro_verl.toolkit.recipes.setting_rules import METHOD_NAMES


def table_disk(
    models: Annotated[
        list[str], typer.Argument(help="Models (files in base_model/), and KEY=VALUE arguments of the trainings.")
    ],
    config_dir: Annotated[Path, typer.Option(help="The folder with daro.yaml.")] = Path("recipes/config"),
    methods: Annotated[int, typer.Option(min=1, help="Number of trainings of each model.")] = len(METHOD_NAMES),
    out: Annotated[Path, typer.Option(help="The folder of the runs.")] = Path("outputs"),
    runs_there: Annotated[
        list[str] | None,
        typer.Option("--run", metavar="NAME", help="Folders of this table in --out, with * for any text. Repeatable."),
    ] = None,
) -> None:
    """Estimate the disk space for the paper's table. If there is not enough room, the exit code is 2.

    Example: daro table-disk qwen2.5_math_7b llama3.1_8b
    """
    from daro_verl.toolkit.models.shape import Shape
    from daro_verl.toolkit.recipes.compose import compose_job
    from daro_verl.toolkit.recipes.disk import checkpoints_of, in_words, table_problems, table_size
    from daro_verl.toolkit.recipes.memory import GB

    overrides, runs = [text for text in models if "=" in text], []
    for name in [text for text in models if "=" not in text]:
        config = compose_job(config_dir, [f"base_model={name}", *overrides])
        found = checkpoints_of(config, Shape(**config.recipe.published))
        runs += [found] * methods
        print(f"{name}: {in_words(found)} while it trains, then weights of {found.weights / GB:.1f} GB a method")
    needed = table_size(runs)
    print(f"disk: about {needed / GB:.0f} GB at most (an estimate)")
    if problems := table_problems(needed, out.absolute(), runs_there or []):
        raise DaroConfigError.of(problems)
