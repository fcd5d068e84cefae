"""Repair the tracker file from which verl resumes an interrupted job, before any worker starts.

verl saves the actor, then the position in the data (``data.pt``). Last, it writes the step to
``latest_checkpointed_iteration.txt``. It opens that file first, which empties it, and then writes. A kill in between
leaves the file empty, and every later start fails at ``int('')`` (verl 0.9.1, ``find_latest_ckpt_path``).
"""

import logging
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from daro_verl.atomic import write_atomically
from daro_verl.errors import DaroCheckpointError

logger = logging.getLogger(__name__)

TRACKER = "latest_checkpointed_iteration.txt"
WEIGHTS = "daro_weights.json"
"""Exists when the actor's checkpoint is complete. ``workers/saved_state.py`` writes it."""
UNFINISHED = WEIGHTS + ".part"
"""Exists while the actor's checkpoint is being written."""


def repair_tracker(folder: str | os.PathLike[str]) -> None:
    """Let verl find the newest complete checkpoint in a job's folder. A tracker without a fault stays as it is.

    Two kinds of tracker are repaired: one that holds no number, and one that names a checkpoint whose actor is missing
    or unfinished, if a complete checkpoint exists. Checkpoints never change. A checkpoint without any file of DARO (of
    a GRPO job) counts neither as complete nor as unfinished. A tracker that names one stays.

    Args:
        folder: ``trainer.default_local_dir``; relative to the working directory, as in verl.

    Raises:
        DaroCheckpointError: the tracker is unreadable, and the checkpoint that it named is unknown.
    """
    folder = Path(folder)
    tracker = folder / TRACKER
    try:
        content = tracker.read_bytes()
    except FileNotFoundError:
        return
    step = _number(content)
    if step is not None and not _is_cut_off(_step_folder(folder, step)):
        return
    newest = newest_complete(folder)
    if step is None:
        _refuse_to_guess(tracker, content, newest)
    if newest is not None:
        write_atomically(tracker, str(newest))
        problem = f"holds no step ({content[:40]!r})" if step is None else f"names step {step}, whose save was cut off"
        words = "%s %s: REPAIRED. The job resumes from step %d, the newest complete checkpoint."
        logger.warning(words, tracker, problem, newest)
    elif step is None:
        aside = tracker.with_suffix(".unreadable")
        tracker.replace(aside)
        logger.warning("%s holds no step (%r), and no checkpoint is complete.", tracker, content[:40])
        logger.warning("THE JOB STARTS FROM SCRATCH. The old tracker is now %s.", aside)


def tracked_step(folder: Path) -> int | None:
    """The step that the tracker in a job's folder names; None without a tracker, or if it holds no number."""
    tracker = folder / TRACKER
    return _number(tracker.read_bytes()) if tracker.is_file() else None


def resumed_from(config: Any, folder: Path) -> tuple[int, Path | None]:
    """The step from which a job goes on, and the folder that holds its checkpoint; ``(0, None)`` from scratch.

    verl decides in the same way, from ``trainer.resume_mode``, ``resume_from_path`` and the tracker in ``folder``.
    """
    mode = config.trainer.get("resume_mode", "auto")
    if mode == "resume_path":
        path = Path(str(config.trainer.get("resume_from_path") or "")).absolute()
        match = re.fullmatch(r"global_step_(\d+)", path.name)
        return (int(match[1]), path.parent) if match else (0, None)
    step = tracked_step(folder) if mode == "auto" else None
    return (step, folder) if step and _step_folder(folder, step).is_dir() else (0, None)


def check_data_order(checkpoint: Path, is_chosen: bool) -> None:
    """Check that the checkpoint's position in the data is one that the job can read.

    verl's sampler and DARO's (``prompts/sampler.py``) save different positions. verl's loader would fail at another
    one's only when all workers run, and without a hint.

    Args:
        checkpoint: the folder of the checkpoint from which the job goes on.
        is_chosen: whether the job chooses its prompts.

    Raises:
        DaroCheckpointError: the other sampler saved it.
    """
    file = checkpoint / "data.pt"
    if not zipfile.is_zipfile(file):
        return
    try:
        state = torch.load(file, weights_only=False)
    except Exception:  # a broken file, which verl's own load will name
        return
    was_chosen = "pass" in ((state.get("_sampler_iter_state") or {}).get("sampler_iter_state") or {})
    if was_chosen != is_chosen:
        places = {False: "a place in verl's order (prompts=uniform)", True: "a place in the order of chosen prompts"}
        fix = f"resume with the same algorithm.daro.prompts, or delete {file}: the job then begins a new pass"
        got, expected = places[was_chosen], places[is_chosen]
        raise DaroCheckpointError(str(file), got=got, expected=expected, fix=fix)


def newest_complete(folder: str | os.PathLike[str]) -> int | None:
    """The highest step whose checkpoint has a complete actor with DARO's file, and a readable ``data.pt``."""
    return max((step for step, path in _checkpoints(Path(folder)) if _is_complete(path)), default=None)


def _checkpoints(folder: Path) -> list[tuple[int, Path]]:
    named = ((re.fullmatch(r"global_step_(\d+)", path.name), path) for path in folder.iterdir() if path.is_dir())
    return [(int(match[1]), path) for match, path in named if match]


def _step_folder(folder: Path, step: int) -> Path:
    return folder / f"global_step_{step}"


def _is_complete(checkpoint: Path) -> bool:
    return (checkpoint / "actor" / WEIGHTS).is_file() and zipfile.is_zipfile(checkpoint / "data.pt")


def _is_cut_off(checkpoint: Path) -> bool:
    actor = checkpoint / "actor"
    return not actor.is_dir() or ((actor / UNFINISHED).exists() and not (actor / WEIGHTS).exists())


def _refuse_to_guess(tracker: Path, content: bytes, newest: int | None) -> None:
    """Raise if the unreadable tracker may have named a later checkpoint, which another kind of job finished."""
    for step, path in _checkpoints(tracker.parent):
        of_another_job = not (path / "actor" / WEIGHTS).exists() and not _is_cut_off(path)
        if of_another_job and zipfile.is_zipfile(path / "data.pt") and step > (-1 if newest is None else newest):
            raise DaroCheckpointError(
                str(tracker),
                got=content[:40],
                expected=f"the step to resume from; {path.name} has no {WEIGHTS}, so it may be incomplete",
                fix=f"write {step} into the tracker to resume from {path.name}, or move that folder away",
            )


def _number(content: bytes) -> int | None:
    """The step that verl's ``int(content.decode())`` reads from a tracker; None if that fails."""
    try:
        return int(content.decode())
    except ValueError:
        return None
