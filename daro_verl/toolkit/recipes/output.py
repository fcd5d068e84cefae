"""The directory of a run: its attempts, and which run it is."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from daro_verl.errors import got_expected_fix
from daro_verl.toolkit.recipes.errors import DaroRecipeError
from daro_verl.toolkit.recipes.knobs import KNOBS, RECIPE, Values
from daro_verl.toolkit.recipes.overrides import key_of

RUN, CHECKPOINTS, LATEST = "run.json", "checkpoints", "latest_checkpointed_iteration.txt"
ARGUMENTS = "arguments"
# A checkpoint of a run with another value of these is not resumed: they change what is learned.
IDENTITY = (
    RECIPE, "METHOD", "MODEL", "TRAIN_FILES", "MAX_PROMPT", "MAX_RESPONSE", "OVERLONG_LEN", "OVERLONG_PENALTY", "BATCH",
    "MINI_BATCH", "ROLLOUTS", "TEMPERATURE", "LR", "WARMUP_STEPS", "WEIGHT_DECAY", "CLIP_GRAD", "ENTROPY_COEFF",
    "CLIP_LOW", "CLIP_HIGH", "CLIP_C", "SEED", "SMOKE",
)  # fmt: skip
# These may change on the way: hardware, layout, how long, how often, what is watched.
FREE = tuple(name for name in KNOBS if name not in IDENTITY)
_FREE_KEYS = {key for name in FREE for key in KNOBS[name].keys}
_FREE_GROUPS = ("trainer.", "ray_kwargs.", "hydra.", "global_profiler.", "transfer_queue.")


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


def identity(values: Values, extra: Sequence[str]) -> dict[str, Any]:
    """What tells a run from others: the knobs of ``IDENTITY``, and the arguments that set no key of a free knob."""
    free = [item for item in extra if key_of(item) in _FREE_KEYS or key_of(item).startswith(_FREE_GROUPS)]
    return {name: values[name] for name in IDENTITY} | {ARGUMENTS: sorted(set(extra) - set(free))}


def problems_of(values: Values, extra: Sequence[str], config: DictConfig) -> list[str]:
    """Whether ``OUTPUT`` can be written, holds no other run, and has no checkpoint that ``RESUME=disable`` leaves."""
    output = Path(values["OUTPUT"])
    above = next(folder for folder in (output, *output.parents) if folder.exists())
    if not above.is_dir():
        return [got_expected_fix("OUTPUT", str(output), "a directory or a new one", f"{above} is a file: rename it")]
    latest, new = output / CHECKPOINTS / LATEST, "choose another OUTPUT or NAME, or remove the old run"
    problems = []
    if config.trainer.default_local_dir != str(output / CHECKPOINTS):
        got, fix = config.trainer.default_local_dir, "set OUTPUT, not the key"
        problems.append(got_expected_fix("trainer.default_local_dir", got, f"{output / CHECKPOINTS}", fix))
    if latest.exists() and config.trainer.resume_mode == "disable":
        # A later start with auto would go on from the old checkpoint, and not from this run's.
        got = f"disable over a checkpoint of step {latest.read_text().strip()} in {output}"
        problems.append(got_expected_fix("RESUME", got, "an OUTPUT without checkpoints", f"set RESUME=auto, or {new}"))
    return problems + _other_run(output, identity(values, extra), latest.exists(), new)


def _other_run(output: Path, own: dict[str, Any], has_checkpoint: bool, fix: str) -> list[str]:
    try:
        there = json.loads((output / RUN).read_text())
    except FileNotFoundError:
        if not has_checkpoint:
            return []
        return [got_expected_fix("OUTPUT", f"checkpoints without {RUN} in {output}", "a run of a recipe", fix)]
    except ValueError:
        there = {}
    other = {name: there.get(name) for name in own if there.get(name) != own[name]}
    if not other:
        return []
    asked, holds = _listed({name: own[name] for name in other}), _listed(other)
    return [got_expected_fix("OUTPUT", f"{output} of a run with {holds}", f"one with {asked}", fix)]


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def claim(values: Values, extra: Sequence[str]) -> None:
    """Make the directory and note whose it is.

    Raises:
        DaroRecipeError: it cannot be written.
    """
    output = Path(values["OUTPUT"])
    try:
        (output / "attempts").mkdir(parents=True, exist_ok=True)
        (output / RUN).write_text(json.dumps(identity(values, extra), indent=1) + "\n")
    except OSError as error:
        fix = "choose a place that you may write to"
        raise DaroRecipeError(got_expected_fix("OUTPUT", str(error), "a directory to write to", fix)) from error
