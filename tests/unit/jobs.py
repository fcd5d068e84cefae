"""verl's own configuration, composed as its entry point composes it."""

from pathlib import Path

import verl.trainer
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

CONFIG_DIR = str(Path(verl.trainer.__file__).parent / "config")


def compose_job(*overrides: str) -> DictConfig:
    """The configuration of ``python -m verl.trainer.main_ppo model_engine=megatron ...`` with small batches."""
    base = [
        "model_engine=megatron",
        "algorithm.adv_estimator=daro",
        "actor_rollout_ref.rollout.n=8",
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=1",
        "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=1",
    ]
    with initialize_config_dir(CONFIG_DIR, version_base=None):
        return compose("ppo_trainer", overrides=[*base, *overrides])
