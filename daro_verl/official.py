"""Official places in verl that replace hooks of ``seams.py``. A prepared job uses the places that its verl has.

verl 0.9.1 has none of them. ``upstream/`` holds each as a change of verl. If verl has a place, its hook stays off.
"""

import logging
from collections.abc import Collection
from pathlib import Path
from types import ModuleType
from typing import Any

from omegaconf import DictConfig, OmegaConf

from daro_verl.errors import DaroVerlError

logger = logging.getLogger(__name__)

WORKER = "daro_verl.workers.actor_worker.DaroActorWorker"
MANAGER = "daro_verl.rollout.checkpoint_manager.DifficultyCheckpointEngineManager"
MANAGER_OF_JOB = "get_checkpoint_manager_class"
PASS_RATE = "daro_pass_rate"
"""The estimator's column of pass rates for the workers. If verl has no place for it, ``returns`` carries them."""


def has_own_daro(verl_folder: str) -> bool:
    """Whether verl has DARO in its core (``upstream/daro_in_core``). If so, the name and the job are verl's."""
    return Path(verl_folder, "workers", "utils", "daro.py").is_file()


def has_worker_class(engine_workers: ModuleType) -> bool:
    """Whether the configuration can name the actor's training worker (``actor.worker_class``)."""
    return hasattr(engine_workers.ActorConfig, "worker_class")


def has_checkpoint_manager_class(checkpoint_engine: ModuleType) -> bool:
    """Whether every trainer honours ``rollout.checkpoint_manager_class``."""
    return hasattr(checkpoint_engine, MANAGER_OF_JOB)


def advantage_output(core_algos: ModuleType) -> Any:
    """verl's type for an estimator's result with further columns; None if verl takes only pairs."""
    return getattr(core_algos, "AdvantageOutput", None)


def outcome_estimators(core_algos: ModuleType) -> set[str]:
    """Names of the estimators for which verl counts a session of several outputs once; empty if verl lists none."""
    return getattr(core_algos, "OUTCOME_ADV_ESTIMATORS", set())


def pass_rate_column(columns: Collection[str]) -> str:
    """The column of a mini-batch that has the pass rates.

    Raises:
        DaroVerlError: verl takes columns from estimators, but the trainer did not pass this one on.
    """
    from verl.trainer.ppo import core_algos

    if PASS_RATE in columns:
        return PASS_RATE
    if advantage_output(core_algos) is None:
        return "returns"
    fix = "let the trainer pass on the columns that compute_advantage adds to the batch"
    raise DaroVerlError("columns of the mini-batch", got=sorted(columns), expected=f"{PASS_RATE} among them", fix=fix)


def name_classes(config: DictConfig, verl_folder: str) -> None:
    """Name DARO's classes in a prepared job. A class that the job itself names stays, and a warning says so.

    Args:
        config: the job's composed configuration, which is changed in place.
        verl_folder: where verl is installed. Its source is read, and nothing is imported.
    """
    places = {
        "actor.worker_class": ("workers/config/actor.py", "worker_class", WORKER, "No difficulty weights are learned"),
        "rollout.checkpoint_manager_class": (
            "checkpoint_engine/base.py",
            MANAGER_OF_JOB,
            MANAGER,
            "Rollout servers get no difficulty weights",
        ),
    }
    job = config.actor_rollout_ref
    for key, (file, mark, name, loss) in places.items():
        source = Path(verl_folder, file)
        if not source.is_file() or mark not in source.read_text():
            continue
        own = OmegaConf.select(job, key)
        if own not in (None, name):
            logger.warning("%s unless your %s inherits from %s.", loss, key, name)
        OmegaConf.update(job, key, own or name, force_add=True)
        if key == "actor.worker_class":
            OmegaConf.update(job, "actor.worker_kwargs.daro", job.daro, force_add=True)
