"""The manager of the weight sync that ``rollout.checkpoint_manager_class`` names, where all trainers honour that."""

from verl.checkpoint_engine.base import CheckpointEngineManager

from daro_verl.rollout.exchange import DifficultyExchange


class DifficultyCheckpointEngineManager(DifficultyExchange, CheckpointEngineManager):
    """verl's, which also sends the difficulty weights after each sync."""
