"""The directory of a run: its attempts, and which run it is."""

import json
from pathlib import Path
from typing import Any

from daro_verl.errors import got_expected_fix
from daro_verl.recipes.errors import DaroRecipeError
from daro_verl.recipes.knobs import RECIPE, Values

RUN = "run.json"
IDENTITY = (RECIPE, "METHOD", "MODEL", "ROLLOUTS")  # a checkpoint of another one is not resumed


def attempt_settings(output: Path) -> dict[str, Any]:
    """Where this attempt logs: verl's file logger would overwrite the metrics of the attempt that it resumes."""
    folder = output / "attempts"
    attempt = folder / f"{len(list(folder.glob('*.jsonl'))) + 1:04d}"
    variables = "ray_kwargs.ray_init.runtime_env.env_vars"  # they also reach the nodes of a cluster that was joined
    return {
        f"{variables}.VERL_FILE_LOGGER_PATH": str(attempt.with_suffix(".jsonl")),
        f"{variables}.TENSORBOARD_DIR": str(output / "tensorboard"),
        "hydra.run.dir": str(attempt),
    }


def problems_of(values: Values) -> list[str]:
    """Whether ``OUTPUT`` can be written and holds no other run."""
    output = Path(values["OUTPUT"])
    above = next(folder for folder in (output, *output.parents) if folder.exists())
    if not above.is_dir():
        return [got_expected_fix("OUTPUT", str(output), "a directory or a new one", f"{above} is a file: rename it")]
    try:
        there = json.loads((output / RUN).read_text())
    except FileNotFoundError:
        return []
    except ValueError:
        there = {}
    other = {name: there.get(name) for name in IDENTITY if there.get(name) != values[name]}
    if not other or values["RESUME"] == "disable":
        return []
    asked = ", ".join(f"{name} {values[name]}" for name in other)
    holds = ", ".join(f"{name} {value}" for name, value in other.items())
    fix = "choose another OUTPUT or NAME, or remove the old run"
    return [got_expected_fix("OUTPUT", f"{output} of a run with {holds}", f"one with {asked}", fix)]


def claim(values: Values) -> None:
    """Make the directory and note whose it is.

    Raises:
        DaroRecipeError: it cannot be written.
    """
    output = Path(values["OUTPUT"])
    try:
        (output / "attempts").mkdir(parents=True, exist_ok=True)
        (output / RUN).write_text(json.dumps({name: values[name] for name in IDENTITY}, indent=1) + "\n")
    except OSError as error:
        fix = "choose a place that you may write to"
        raise DaroRecipeError(got_expected_fix("OUTPUT", str(error), "a directory to write to", fix)) from error
