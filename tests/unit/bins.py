"""Tokens per bin, and mini-batches that have bins and a scale but no rewards."""

from collections.abc import Callable
from typing import Any

import torch

from daro_verl.advantage.weighting import bin_tokens
from daro_verl.objective import advantage_scale
from daro_verl.workers.mini_batch import BINS_KEY, MiniBatch


def tokens_of(bins: torch.Tensor, mask: torch.Tensor, num_rollouts: int) -> torch.Tensor:
    """``T_k``, [G+1] float64."""
    return torch.zeros(num_rollouts + 1, dtype=torch.float64).index_add_(0, bins, mask.sum(-1).double())


def daro_scale(weights: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """``w_k / T_k``, [G+1]."""
    return advantage_scale(weights, bin_tokens(tokens, token_budget=1.0))


def mini_batch_of(scale: torch.Tensor) -> MiniBatch:
    """A mini-batch whose ``w_k / D_k`` is given."""
    mini_batch = object.__new__(MiniBatch)
    mini_batch.scale, mini_batch.sums = scale, torch.zeros_like(scale)
    return mini_batch


def token_mean(token_loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Callable[..., tuple]:
    """A loss function of verl's form: the token losses of (log_prob, advantages), summed, over N, times dp_size."""

    def loss_fn(model_output: dict[str, Any], data: dict[str, Any], dp_group: Any = None) -> tuple:
        losses = token_loss(model_output["log_probs"], data["advantages"])
        loss = torch.where(data["response_mask"].bool(), losses, 0.0).sum()
        return loss / data["batch_num_tokens"] * data["dp_size"], {}

    return loss_fn


def micro_batch(advantages: torch.Tensor, mask: torch.Tensor, bins: torch.Tensor, dp_size: int = 1) -> dict[str, Any]:
    """What :meth:`MiniBatch.loss` reads. ``N`` is any number: it cancels."""
    data = {"advantages": advantages, "response_mask": mask, BINS_KEY: bins}
    return data | {"batch_num_tokens": 7 * mask.numel(), "dp_size": dp_size}
