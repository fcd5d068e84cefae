"""Difficulty bins: prompts with the same empirical pass rate (paper).

Bins are numbered by ``k = round(mu * G)`` with ``G = rollout.n``: ``k = 0`` (nothing solved) and ``k = G`` (everything
solved) teach nothing; the learnable weights belong to ``k = 1 .. G-1``. Tensors over bins that include both ends have
``G + 1`` entries, tensors over weights have ``G - 1``.
"""

import torch


def bin_of_pass_rate(pass_rate: torch.Tensor, num_rollouts: int) -> torch.Tensor:
    """``k = round(mu * G)``, int64, same shape as ``pass_rate``.

    A group that lost responses keeps its own pass rate, so ``mu * G`` need not be whole; a pass rate strictly between
    0 and 1 never rounds into the two bins that teach nothing (ours).
    """
    k = torch.round(pass_rate * num_rollouts).long()
    inside = (pass_rate > 0) & (pass_rate < 1)
    return torch.where(inside, k.clamp(1, num_rollouts - 1), k)


def response_bins(pass_rate_per_token: torch.Tensor, response_mask: torch.Tensor, num_rollouts: int) -> torch.Tensor:
    """The bin of every response, from the pass rate that the estimator wrote on its tokens.

    Args:
        pass_rate_per_token: [num_responses, response_length], the pass rate on response tokens, 0 elsewhere.
        response_mask: [num_responses, response_length], 1 on tokens that train.
        num_rollouts: ``G``.

    Returns:
        [num_responses] int64; rows without a token that trains (padding) are in bin 0, which teaches nothing.
    """
    pass_rate = torch.where(response_mask.bool(), pass_rate_per_token, 0.0).amax(dim=-1)
    return bin_of_pass_rate(pass_rate, num_rollouts)


def bin_counts(pass_rate: torch.Tensor, num_rollouts: int) -> torch.Tensor:
    """Counts of prompts per bin, ``[G + 1]`` float64; prompts with NaN pass rate (no response) are left out."""
    bins = bin_of_pass_rate(pass_rate[~pass_rate.isnan()], num_rollouts)
    return torch.bincount(bins, minlength=num_rollouts + 1).double()
