"""Tokens per bin and DARO's own scale, for tests that have bins but no rewards."""

import torch

from daro_verl.advantage.weighting import bin_tokens
from daro_verl.workers.bin_counts import count_bins
from daro_verl.workers.bin_loss import response_scale


def tokens_of(bins: torch.Tensor, mask: torch.Tensor, num_rollouts: int) -> torch.Tensor:
    """``T_k``, [G+1] float64."""
    return count_bins(bins, torch.zeros_like(bins).bool(), torch.zeros(mask.shape), mask, num_rollouts).tokens


def daro_scale(weights: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """``w_k / T_k``, [G+1]."""
    return response_scale(weights, bin_tokens(tokens, token_budget=1.0))
