"""Official places of verl for what hooks of ``seams.py`` do. A prepared job uses those that its verl has.

verl 0.9.1 has none of them; ``upstream/`` holds each as a change of verl. Where a place is there, its hook stays off.
"""

import logging
from types import ModuleType
from typing import Any

from omegaconf import DictConfig

from daro_verl.compatibility import defines

logger = logging.getLogger(__name__)

WORKER = "daro_verl.workers.actor_worker.DaroActorWorker"
MANAGER = "daro_verl.rollout.checkpoint_manager.DifficultyCheckpointEngineManager"
MANAGER_OF_JOB = "get_checkpoint_manager_class"
PASS_RATE = "daro_pass_rate"
"""The estimator's column for the workers; without a place for it, ``returns`` carries the pass rates."""


def has_worker_class(engine_workers: ModuleType) -> bool:
    """Whether the configuration can name the actor's training worker (``actor.worker_class``)."""
    return hasattr(engine_workers.ActorConfig, "worker_class")


def has_checkpoint_manager_class(checkpoint_engine: ModuleType) -> bool:
    """Whether every trainer honours ``rollout.checkpoint_manager_class``."""
    return hasattr(checkpoint_engine, MANAGER_OF_JOB)


def advantage_output(core_algos: ModuleType) -> Any:
    """verl's type of an estimator's result with further columns; None if it takes pairs only."""
    return getattr(core_algos, "AdvantageOutput", None)


def name_classes(config: DictConfig, verl_folder: str) -> None:
    """Name DARO's classes in a prepared job that may be changed. A class that the job names itself stays.

    Args:
        config: the job's composed configuration.
        verl_folder: where verl is installed. Its source is looked at, and nothing is imported.
    """
    actor, rollout = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout
    if "worker_class" in actor:
        actor.worker_class = actor.worker_class or WORKER
        actor.worker_kwargs.daro = config.actor_rollout_ref.daro
    if defines(verl_folder, "verl.checkpoint_engine.base", MANAGER_OF_JOB):
        rollout.checkpoint_manager_class = rollout.get("checkpoint_manager_class") or MANAGER
        if rollout.checkpoint_manager_class != MANAGER:
            logger.warning("Rollout servers get no difficulty weights unless your manager inherits from %s.", MANAGER)
