"""Where verl's V1 trainers use the memory: in the sampler of the training prompts, and after each checkpoint."""

import hashlib
import logging
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import numpy as np
from verl.trainer.ppo.checkpoint_callback import CheckpointCallback
from verl.utils.import_utils import load_class_from_fqn

from daro_verl.errors import DaroDataError
from daro_verl.prompts.identity import prompt_ids
from daro_verl.prompts.job_memory import NEWEST_WEIGHTS, memory_of_job
from daro_verl.prompts.sampler import PromptSampler
from daro_verl.prompts.selection import INFORMATIVE, Acceptance, band, chances, informative

logger = logging.getLogger(__name__)


def prompt_sampler(dataset: Any, data_config: Any) -> PromptSampler:
    """The sampler that takes the place of verl's in a job that chooses its prompts.

    Args:
        dataset: verl's ``RLHFDataset``, or a class like it.
        data_config: verl's ``data`` node, in which :func:`~daro_verl.job.prepare_job` left ``daro``.

    Raises:
        DaroDataError: the rows of the data set cannot be read.
    """
    options = data_config.daro
    rows = getattr(dataset, "dataframe", None)
    if rows is None or len(rows) != len(dataset):
        expected, fix = "verl's RLHFDataset, or a class with its dataframe", "set +algorithm.daro.prompts=uniform"
        raise DaroDataError("the training data set", got=type(dataset).__name__, expected=expected, fix=fix)
    columns = [name for name in ("data_source", dataset.prompt_key, "extra_info") if name in rows.column_names]
    ids, sources = prompt_ids(rows.select_columns(columns), dataset.prompt_key)
    if not len(ids):
        fix = "look at data.train_files, and at data.max_prompt_length, which leaves out longer prompts"
        raise DaroDataError("the training data set", got="no prompt", expected="at least one", fix=fix)
    job = memory_of_job(options.memory)
    num_known = int((job.memory.rows(ids) >= 0).sum())
    job.memory.add(ids, sources)
    logger.info("%d training prompts, %d of them known; chosen by prompts=%s.", len(ids), num_known, options.prompts)
    accept, version = _acceptance(options)

    def accept_positions(positions: np.ndarray) -> np.ndarray:
        return chances(job.memory, job.memory.rows(ids[positions]), accept)

    return PromptSampler(
        len(ids),
        accept_positions,
        version=lambda: (job.memory.version, version()),
        seed=(data_config.get("seed") or 0) % 2**64,
        on_skip=job.leave_out,
        data=hashlib.blake2b(ids.tobytes(), digest_size=8).hexdigest(),
    )


def _acceptance(options: Any) -> tuple[Acceptance, Callable[[], Hashable]]:
    """The acceptance of the option ``prompts``, and the version of what it depends on besides the memory."""
    if options.prompts == INFORMATIVE:
        return informative(options.num_rollouts, lambda: NEWEST_WEIGHTS.of(options.num_rollouts)), _weights_version
    return band(*options.prompt_band), lambda: None


def _weights_version() -> Hashable:
    return NEWEST_WEIGHTS.version


class MemoryCheckpoint(CheckpointCallback):
    """verl's ``trainer.checkpoint_callback_class`` of a DARO job: saves the memory, then calls the job's own class."""

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self._settings = config.algorithm.daro.prompt_memory
        own = self._settings.get("checkpoint_callback_class")
        self._own = load_class_from_fqn(own, "CheckpointCallback")(config=config) if own else None

    def on_save(self, trainer: Any, global_step: int, checkpoint_dir: str, **kwargs: Any) -> None:
        """Save the memory after each of verl's checkpoints, then call the job's own class."""
        memory_of_job(self._settings).save(Path(checkpoint_dir), global_step)
        if self._own is not None:
            self._own.on_save(trainer=trainer, global_step=global_step, checkpoint_dir=checkpoint_dir, **kwargs)
