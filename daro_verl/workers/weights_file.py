"""The difficulty weights' file inside an actor checkpoint: ``<checkpoint>/actor/daro_weights.json``.

JSON, so that an operator can read it; Python writes a float64 so that it reads back to the same bits.

A checkpoint is written around verl's own: :func:`begin` first puts the state beside its final name, verl writes the
model, :func:`finish` gives the file its name. So the file's presence says that the model beside it is complete and of
the same step, also where an existing checkpoint is written over; an unfinished one is recognised.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch

from daro_verl.errors import DaroCheckpointError, got_expected_fix

FILE_NAME = "daro_weights.json"
PART_NAME = "daro_weights.json.part"


def begin(folder: str | os.PathLike[str], state: dict[str, Any]) -> None:
    """Write :meth:`DifficultyWeights.state_dict` under its preliminary name; the folder is incomplete from here on."""
    path = Path(folder) / PART_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = {name: value.tolist() if isinstance(value, torch.Tensor) else value for name, value in state.items()}
    with path.open("w") as file:
        json.dump(plain, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    path.with_name(FILE_NAME).unlink(missing_ok=True)


def finish(folder: str | os.PathLike[str]) -> Path:
    """Give what :func:`begin` wrote its final name, at once and whole."""
    return (Path(folder) / PART_NAME).rename(Path(folder) / FILE_NAME)


def read_weights(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The state in ``folder``, or None if there is no file (a checkpoint of a job without DARO).

    Raises:
        DaroCheckpointError: the checkpoint was not finished, or the file is not what :func:`begin` writes, or it was
            copied from the checkpoint of another step.
    """
    path = Path(folder) / FILE_NAME
    if not path.exists() and (Path(folder) / PART_NAME).exists():
        raise DaroCheckpointError(
            got_expected_fix(
                str(folder),
                f"{PART_NAME} without {FILE_NAME}: the job ended while it wrote this checkpoint",
                "a complete checkpoint",
                "resume from an earlier one: trainer.resume_mode=resume_path "
                "trainer.resume_from_path=.../global_step_N",
            )
        )
    try:
        plain = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        raise DaroCheckpointError(
            got_expected_fix(
                str(path),
                str(error),
                "a file of difficulty weights",
                "restore it, or delete it to start from weight_init, or resume from an earlier checkpoint",
            )
        ) from error
    if not isinstance(plain, dict) or "log_weights" not in plain:
        raise DaroCheckpointError(
            got_expected_fix(str(path), type(plain).__name__, "a file of difficulty weights", "restore or delete it")
        )
    _check_step(path, plain.get("global_step"))
    return {
        name: torch.tensor(value, dtype=torch.float64) if isinstance(value, list) else value
        for name, value in plain.items()
    }


def _check_step(path: Path, saved_step: Any) -> None:
    """verl names a checkpoint's folder after its step; a file of another step came from somewhere else."""
    folder = next((part for part in reversed(path.parent.parts) if part.startswith("global_step_")), None)
    if folder is not None and saved_step is not None and folder != f"global_step_{saved_step}":
        raise DaroCheckpointError(
            got_expected_fix(
                str(path),
                f"difficulty weights of step {saved_step}",
                f"those of {folder}",
                "restore the file of this checkpoint, or delete it to start from weight_init",
            )
        )
