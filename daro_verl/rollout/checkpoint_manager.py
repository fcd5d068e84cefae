"""The manager of the weight sync for ``rollout.checkpoint_manager_class``, if all of verl's trainers honour that."""

from verl.checkpoint_engine.base import CheckpointEngineManager

from daro_verl.rollout.exchange import DifficultyExchange


class DifficultyCheckpointEngineManager(DifficultyExchange, CheckpointEngineManager):
    """verl's manager, which also sends the difficulty weights after each sync."""
