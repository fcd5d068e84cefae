"""The difficulty weights' file inside an actor checkpoint: ``<checkpoint>/actor/daro_weights.json``.

JSON, so that an operator can read it; Python writes a float64 so that it reads back to the same bits.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch

from daro_verl.errors import DaroCheckpointError, got_expected_fix

FILE_NAME = "daro_weights.json"


def write_weights(folder: str | os.PathLike[str], state: dict[str, Any]) -> Path:
    """Write :meth:`DifficultyWeights.state_dict` whole or not at all (temporary file, sync, rename)."""
    path = Path(folder) / FILE_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = {name: value.tolist() if isinstance(value, torch.Tensor) else value for name, value in state.items()}
    temporary = path.with_suffix(".tmp")
    with temporary.open("w") as file:
        json.dump(plain, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    return path


def read_weights(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The state in ``folder``, or None if there is no file (a checkpoint of a job without DARO).

    Raises:
        DaroCheckpointError: the file is there but is not what :func:`write_weights` writes.
    """
    path = Path(folder) / FILE_NAME
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
    return {
        name: torch.tensor(value, dtype=torch.float64) if isinstance(value, list) else value
        for name, value in plain.items()
    }
