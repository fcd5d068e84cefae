"""A job's only memory of difficulty, on its driver: read at the start, told what ends, saved with each checkpoint."""

import logging
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from daro_verl.prompts import memory_file
from daro_verl.prompts.memory import DifficultyMemory

logger = logging.getLogger(__name__)


@dataclass
class JobMemory:
    """What the driver knows of the prompts. Lives as long as the process.

    Attributes:
        memory: the difficulty of all prompts.
        train_files: the job's data, for readers of the saved file.
        restored: uids of groups that are in the memory, and that verl restores with the checkpoint of an asynchronous
            job. They are not learned from again.
        num_left_out: prompts that were left out and are not accounted for yet.
        waiting: returns the uids of the groups that are in the memory and still wait to be trained on.
    """

    memory: DifficultyMemory = field(default_factory=DifficultyMemory)
    train_files: Sequence[str] = ()
    restored: frozenset[str] = frozenset()
    num_left_out: int = 0
    waiting: Callable[[], set[str]] = set

    def leave_out(self, num_prompts: int) -> None:
        """Count prompts that the sampler left out."""
        self.num_left_out += num_prompts

    def take_left_out(self) -> int:
        """The number of prompts left out since the last call."""
        number, self.num_left_out = self.num_left_out, 0
        return number

    def save(self, checkpoint: Path, step: int) -> None:
        """Write the memory into a checkpoint's folder."""
        about = {"step": step, "train_files": list(self.train_files), "waiting": sorted(self.waiting())}
        memory_file.write(self.memory, checkpoint / memory_file.FILE_NAME, about)


def memory_of_job(settings: Any) -> JobMemory:
    """This process's only object for a job.

    Args:
        settings: ``algorithm.daro.prompt_memory``, as :func:`~daro_verl.job.prepare_job` left it; None: a memory that
            is saved nowhere.
    """
    if settings is None:
        return JobMemory()
    return _memory_of_job(settings["folder"], settings["resumed"], settings["step"], tuple(settings["train_files"]))


@cache
def _memory_of_job(folder: str, resumed: str | None, step: int, train_files: tuple[str, ...]) -> JobMemory:
    """The object, made once per job. ``folder`` tells jobs of one process apart."""
    memory, waiting = _resumed(Path(resumed), step) if resumed else (DifficultyMemory(), frozenset())
    return JobMemory(memory, train_files, waiting)


def _resumed(folder: Path, step: int) -> tuple[DifficultyMemory, frozenset[str]]:
    """The memory in the checkpoint from which a job goes on, or in the newest earlier one that has a memory.

    The second result has the groups that were in that memory and waited to be trained on.

    verl names the checkpoint to resume from before it calls the class that saves the memory. A kill in between leaves a
    checkpoint without a memory. The job then goes on with a little less knowledge, and logs that.
    """
    files = memory_file.saved(folder, step)
    if not files:
        logger.warning("No checkpoint up to step %d knows the prompts' difficulty: it is learned anew.", step)
        return DifficultyMemory(), frozenset()
    saved_step, path = files[0]
    if saved_step < step:
        message = "The checkpoint of step %d has no %s: the prompts' difficulty is that of step %d."
        logger.warning(message, step, memory_file.FILE_NAME, saved_step)
    memory, about = memory_file.read(path)
    return memory, frozenset(about.get("waiting", ()))  # earlier files have none


@dataclass
class NewestWeights:
    """The difficulty weights of the last weight sync, as the driver sent them to the rollout servers.

    Attributes:
        version: changes with the weights; None before the first sync.
        weights: [G-1] ``w_k``; None before the first sync.
    """

    version: Hashable = None
    weights: np.ndarray | None = None

    def set(self, version: Hashable, weights: Sequence[float]) -> None:
        """Keep the weights of another sync."""
        self.version, self.weights = version, np.array(weights)

    def of(self, num_rollouts: int) -> np.ndarray:
        """``w_k`` [G-1]; ones before the first sync, and if no weights are sent."""
        known = self.weights
        return known if known is not None and len(known) == num_rollouts - 1 else np.ones(num_rollouts - 1)


NEWEST_WEIGHTS = NewestWeights()
"""The newest weights in this process, which drives one job."""
