"""The functions of the package that this benchmark calls: advantages, per-bin losses and weights, around verl's loss.

A verl job calls the same functions in the same order: the estimator on the driver for the whole round, then one
optimizer step per mini-batch, as in ``daro_verl.workers.actor_worker``.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from verl.trainer.ppo.core_algos import get_policy_loss_fn
from verl.workers.config import ActorConfig

from daro_verl.advantage import compute_daro_advantage
from daro_verl.config import DaroConfig
from daro_verl.objective import bin_label
from daro_verl.workers.difficulty_weights import DifficultyWeights
from daro_verl.workers.metrics import step_metrics
from daro_verl.workers.mini_batch import MiniBatch, Ranks

MicroBatches = Iterable[tuple[torch.Tensor, torch.Tensor]]
"""Indices [m] of responses, and their log-probabilities [m, R] of the model now, with gradient."""

PER_BIN = ("loss", "weight", "loss_share", "token_share")
"""Metrics of the package that a run records per bin and optimizer step."""


def check_options(options: Mapping[str, Any]) -> None:
    """Raise DaroConfigError where the package does not know an option or its value."""
    DaroConfig.from_mapping(options)


class Update:
    """The weighting of one run: advantages, loss and weights of its optimizer steps.

    Attributes:
        weights: the package's own.
    """

    def __init__(self, options: Mapping[str, Any], group_size: int, token_budget: int, clip_high: float) -> None:
        """The weights at their start.

        Args:
            options: of ``algorithm.daro``.
            group_size: ``G``.
            token_budget: responses of a mini-batch x longest response.
            clip_high: PPO's upper clip; the lower one is 0.2.
        """
        _initialise_process_group()
        self.weights = DifficultyWeights(group_size, dict(options), token_budget)
        self._ranks = Ranks(data_parallel_group=None, has_outputs=True, source=0, device="cpu")
        self._config = ActorConfig(
            strategy="fsdp2", rollout_n=group_size, ppo_micro_batch_size_per_gpu=1, clip_ratio_high=clip_high
        )

    def advantages(self, rewards: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """``(advantages, returns)`` [n, G, R] of a round, from rewards [n, G] and response mask [n, G, R]."""
        n, group, length = mask.shape
        token_level_rewards = torch.zeros(n * group, length)
        token_level_rewards[:, 0] = rewards.flatten()
        index = np.arange(n).repeat(group)
        flat = mask.reshape(n * group, length).float()
        advantages, returns = compute_daro_advantage(token_level_rewards, flat, index, self.weights.weighting)
        return advantages.view(mask.shape), returns.view(mask.shape)

    def step(
        self,
        data: dict[str, torch.Tensor],
        micro_batches: MicroBatches,
        take_step: Callable[[], float],
    ) -> dict[str, float]:
        """One optimizer step of the model and one update of the weights; returns the metrics of both.

        Args:
            data: ``advantages``, ``returns``, ``response_mask``, ``old_log_probs``, each [num_responses, R].
            micro_batches: a response whose advantages are zero may be left out: it adds nothing.
            take_step: takes the model's step with the gradient that all of them left, and returns its norm.
        """
        used_weights, num_tokens, num_clipped = self.weights.weights(), int(data["response_mask"].sum()), 0.0
        mini_batch = MiniBatch(data, self.weights, self._ranks)
        for rows, log_prob in micro_batches:
            part = {name: column[rows] for name, column in data.items()}
            part |= {"dp_size": 1, "batch_num_tokens": num_tokens}
            loss, policy_metrics = mini_batch.loss(self._verl_loss, {"log_probs": log_prob}, part)
            loss.backward()
            num_clipped += policy_metrics["actor/pg_clipfrac"] * float(part["response_mask"].sum())
        grad_norm = take_step()
        losses, stepped = mini_batch.losses(grad_norm)
        if stepped:
            self.weights.step(losses, mini_batch.tokens[1:-1] > 0)
        metrics = step_metrics(mini_batch, used_weights, losses, self.weights)
        return metrics | {"grad_norm": grad_norm, "clip_fraction": num_clipped / num_tokens}

    def _verl_loss(
        self, model_output: Mapping[str, torch.Tensor], data: Mapping[str, Any], dp_group: Any = None
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        """``vanilla``, its token mean over the mini-batch, as verl's ``ppo_loss`` calls it; the columns are padded."""
        self._config.global_batch_info.update({name: data[name] for name in ("dp_size", "batch_num_tokens")})
        return get_policy_loss_fn("vanilla")(
            old_log_prob=data["old_log_probs"],
            log_prob=model_output["log_probs"],
            advantages=data["advantages"],
            response_mask=data["response_mask"],
            loss_agg_mode="token-mean",
            config=self._config,
        )


def per_bin(metrics: Mapping[str, float], name: str, group_size: int) -> list[float]:
    """[G-1] one of :data:`PER_BIN`, NaN where the bin is absent."""
    labels = (bin_label(k, group_size) for k in range(1, group_size))
    return [metrics.get(f"daro/{name}/{label}", float("nan")) for label in labels]


def _initialise_process_group() -> None:
    """One process, in which the package's collectives are copies."""
    if not dist.is_initialized():
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
