"""Everything that this benchmark calls in the package: advantages, per-bin losses, weights, and verl's policy loss.

The same functions that a verl job calls, in the same order: the estimator on the driver for the whole round, then one
optimizer step per mini-batch, as in ``daro_verl.workers.actor_worker``.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from verl.workers.config import ActorConfig

from daro_verl.advantage import compute_daro_advantage
from daro_verl.advantage.bins import bin_label
from daro_verl.config import DaroConfig
from daro_verl.workers.difficulty_weights import DifficultyWeights
from daro_verl.workers.metrics import step_metrics
from daro_verl.workers.mini_batch import BINS_KEY, MiniBatch, Ranks
from daro_verl.workers.policy_loss import DaroPolicyLossConfig, compute_policy_loss_daro, reweighted

PER_BIN = ("loss", "weight", "loss_share", "token_share")
"""Metrics of the package that a run records per bin and optimizer step."""


def check_options(options: Mapping[str, Any]) -> None:
    """Raise DaroConfigError where the package does not know an option or its value."""
    DaroConfig.from_mapping(options)


class Update:
    """The weighting of one run: advantages, loss and weights of its optimizer steps."""

    def __init__(self, options: Mapping[str, Any], group_size: int, token_budget: int, clip_high: float) -> None:
        """Args:
        options: of ``algorithm.daro``.
        group_size: ``G``.
        token_budget: responses of a mini-batch x longest response.
        clip_high: PPO's upper clip; the lower one is 0.2.
        """
        _initialise_process_group()
        self._algorithm = {"daro": dict(options)}
        self._weights = DifficultyWeights(group_size, dict(options), token_budget)
        self._ranks = Ranks(data_parallel_group=None, has_outputs=True, source=0, device="cpu")
        daro = {"base_loss_mode": "vanilla", "num_rollouts": group_size, "options": dict(options)}
        self._config = ActorConfig(
            strategy="fsdp2",
            rollout_n=group_size,
            ppo_micro_batch_size_per_gpu=1,
            policy_loss=DaroPolicyLossConfig(loss_mode="daro", daro=daro),
            clip_ratio_high=clip_high,
        )
        self._config.global_batch_info.update(dp_size=1)

    def advantages(self, rewards: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """``(advantages, returns)`` [n, G, R] of a round, from rewards [n, G] and response mask [n, G, R]."""
        n, group, length = mask.shape
        token_level_rewards = torch.zeros(n * group, length)
        token_level_rewards[:, 0] = rewards.flatten()
        index = np.arange(n).repeat(group)
        flat = mask.reshape(n * group, length).float()
        advantages, returns = compute_daro_advantage(token_level_rewards, flat, index, config=self._algorithm)
        return advantages.view(mask.shape), returns.view(mask.shape)

    def step(
        self, data: dict[str, torch.Tensor], log_prob: torch.Tensor, take_step: Callable[[torch.Tensor], float]
    ) -> dict[str, float]:
        """One optimizer step of the model and one update of the weights; returns the metrics of both.

        Args:
            data: ``advantages``, ``returns``, ``response_mask``, ``old_log_probs``, each [num_responses, R].
            log_prob: [num_responses, R], of the model now, with gradient.
            take_step: minimises a loss and returns the norm of its gradient.
        """
        used_weights = self._weights.weights()
        mini_batch = MiniBatch(data, self._weights, self._ranks)
        with reweighted(mini_batch.bin_loss, data[BINS_KEY]):
            loss, policy_metrics = compute_policy_loss_daro(
                old_log_prob=data["old_log_probs"],
                log_prob=log_prob,
                advantages=data["advantages"],
                response_mask=data["response_mask"],
                config=self._config,
            )
        grad_norm = take_step(loss)
        losses, stepped = mini_batch.losses(grad_norm)
        if stepped:
            self._weights.step(losses, mini_batch.tokens[1:-1] > 0)
        metrics = step_metrics(mini_batch, used_weights, losses, self._weights)
        return metrics | {"grad_norm": grad_norm, "clip_fraction": policy_metrics["actor/pg_clipfrac"]}


def per_bin(metrics: Mapping[str, float], name: str, group_size: int) -> list[float]:
    """[G-1] one of :data:`PER_BIN`, NaN where the bin is absent."""
    labels = (bin_label(k, group_size) for k in range(1, group_size))
    return [metrics.get(f"daro/{name}/{label}", float("nan")) for label in labels]


def _initialise_process_group() -> None:
    """One process, in which the package's collectives are copies."""
    if not dist.is_initialized():
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
