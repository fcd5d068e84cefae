"""The saved difficulty weights: their file in an actor checkpoint, and checks that it is complete.

The file is ``<checkpoint>/actor/daro_weights.json``. JSON is easy for a person to read, and Python writes a float64 so
that it reads back to the same bits. A checkpoint is written in this order:

1. :func:`begin` writes the state under a preliminary name;
2. verl writes the model;
3. :func:`finish` gives the file its final name.

So if the file is there, the model beside it is complete and of the same step. This also holds when a checkpoint is
overwritten. The preliminary name alone shows that a checkpoint is unfinished.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from daro_verl.atomic import publish, write_atomically
from daro_verl.errors import DaroCheckpointError, DaroConfigError
from daro_verl.objective import bin_label

FILE_NAME = "daro_weights.json"
UNFINISHED_NAME = "daro_weights.json.part"
STATE_FORMAT = 2
"""2 has the moments of ``L_k``, which 1 lacks."""


def begin(folder: str | os.PathLike[str], state: dict[str, Any]) -> None:
    """Write :meth:`DifficultyWeights.state_dict` under its preliminary name. From now on the folder is incomplete."""
    path = Path(folder) / UNFINISHED_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = {name: value.tolist() if isinstance(value, torch.Tensor) else value for name, value in state.items()}
    write_atomically(path, json.dumps(plain, indent=1))
    path.with_name(FILE_NAME).unlink(missing_ok=True)


def finish(folder: str | os.PathLike[str]) -> Path:
    """Give the file of :func:`begin` its final name, in one atomic step."""
    path = Path(folder) / FILE_NAME
    publish(path.with_name(UNFINISHED_NAME), path)
    return path


def read(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The state in ``folder``; None if there is no file (a checkpoint of a job without DARO).

    Raises:
        DaroCheckpointError: the checkpoint is unfinished, or the file is not one of :func:`begin`, or it was copied
            from the checkpoint of another step.
    """
    path = Path(folder) / FILE_NAME
    if not path.exists() and (Path(folder) / UNFINISHED_NAME).exists():
        raise DaroCheckpointError(
            str(folder),
            got=f"{UNFINISHED_NAME} without {FILE_NAME}, because the job ended while it wrote this checkpoint",
            expected="a complete checkpoint",
            fix="resume from an earlier checkpoint: trainer.resume_mode=resume_path "
            "trainer.resume_from_path=.../global_step_N",
        )
    try:
        plain = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        fix = "restore the file, or delete it to start from weight_init, or resume from an earlier checkpoint"
        raise DaroCheckpointError(
            str(path), got=str(error), expected="a file of difficulty weights", fix=fix
        ) from error
    if not isinstance(plain, dict) or "log_weights" not in plain:
        raise DaroCheckpointError(
            str(path),
            got=type(plain).__name__,
            expected="a file of difficulty weights",
            fix="restore the file or delete it",
        )
    _check_step(path, plain.get("global_step"))
    return {
        name: torch.tensor(value, dtype=torch.float64) if isinstance(value, list) else value
        for name, value in plain.items()
    }


def _check_step(path: Path, saved_step: Any) -> None:
    """Raise if the file is not of the step in its folder's name. It was then copied from another checkpoint."""
    folder = next((part for part in reversed(path.parent.parts) if part.startswith("global_step_")), None)
    if folder is not None and saved_step is not None and folder != f"global_step_{saved_step}":
        raise DaroCheckpointError(
            str(path),
            got=f"difficulty weights of step {saved_step}",
            expected=f"the difficulty weights of {folder}",
            fix="restore this checkpoint's own file, or delete it to start from weight_init",
        )


def check_state(state: Mapping[str, Any], make_state: Callable[[int, str], Mapping[str, Any]]) -> None:
    """Check that ``state`` is a complete :meth:`DifficultyWeights.state_dict` with finite values.

    Args:
        state: the saved state.
        make_state: makes a fresh state for a given ``rollout.n`` and weighting.

    Raises:
        DaroCheckpointError: it is not. The message names the first wrong entry.
    """

    def problem(name: str, got: object, expected: str) -> DaroCheckpointError:
        fix = "resume from an earlier checkpoint, or delete the file to start from weight_init"
        return DaroCheckpointError(f"saved difficulty weights, {name}", got=got, expected=expected, fix=fix)

    if state.get("format") != STATE_FORMAT:
        raise problem("format", state.get("format"), str(STATE_FORMAT))
    num_rollouts, weighting = state.get("num_rollouts"), state.get("weighting")
    if not isinstance(num_rollouts, int) or num_rollouts < 2:
        raise problem("num_rollouts", num_rollouts, "an integer of at least 2")
    if not isinstance(weighting, str):
        raise problem("weighting", weighting, "a value of type str")
    try:
        fresh = make_state(num_rollouts, weighting)
    except DaroConfigError:  # a user's own weighting that no longer exists: its rule's state is not read
        fresh = make_state(num_rollouts, "uniform")
    for name, own in fresh.items():
        got = state.get(name)
        if not isinstance(own, torch.Tensor):
            if type(got) is not type(own):
                raise problem(name, got, f"a value of type {type(own).__name__}")
        elif not isinstance(got, torch.Tensor) or got.shape != own.shape or not got.isfinite().all():
            raise problem(name, got.tolist() if isinstance(got, torch.Tensor) else got, f"{len(own)} finite numbers")


def shown(state: Mapping[str, Any]) -> str:
    """The weights of a state by bin, for log lines."""
    weights = enumerate(state["log_weights"].exp().tolist(), start=1)
    return "{" + ", ".join(f"{bin_label(k, state['num_rollouts'])}: {weight:.4g}" for k, weight in weights) + "}"
