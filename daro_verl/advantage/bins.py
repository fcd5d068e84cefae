"""Difficulty bins: prompts with the same empirical pass rate (paper).

Bins are numbered by ``k = round(mu * G)`` with ``G = rollout.n``: ``k = 0`` (nothing solved) and ``k = G`` (everything
solved) teach nothing; the learnable weights belong to ``k = 1 .. G-1``. Tensors over bins that include both ends have
``G + 1`` entries, tensors over weights have ``G - 1``.
"""

import torch

from daro_verl.advantage.tokens import TrainingTokens


def bin_of_pass_rate(pass_rate: torch.Tensor, num_rollouts: int) -> torch.Tensor:
    """``k = round(mu * G)``, int64, same shape as ``pass_rate``.

    A group that lost responses keeps its own pass rate, so ``mu * G`` need not be whole; a pass rate strictly between
    0 and 1 never rounds into the two bins that teach nothing (ours).
    """
    k = torch.round(pass_rate * num_rollouts).long()
    inside = (pass_rate > 0) & (pass_rate < 1)
    return torch.where(inside, k.clamp(1, num_rollouts - 1), k)


def bin_label(k: int, num_rollouts: int) -> str:
    """``3of8``, pass rate 3/8: the name of a bin in metrics."""
    return f"{k}of{num_rollouts}"


def response_bins(
    returns: torch.Tensor, response_mask: torch.Tensor | TrainingTokens, num_rollouts: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The bin of every response and whether it is a success, from what the estimator wrote on its tokens.

    Args:
        returns: [num_responses, response_length], on response tokens the pass rate of the prompt, negative where the
            response failed. Padded, or nested as the mask is.
        response_mask: [num_responses, response_length], 1 on tokens that train; or what was found in it.
        num_rollouts: ``G``.

    Returns:
        ``(bins, success)``, [num_responses] int64 and bool; rows without a token that trains (padding) are in bin 0,
        which teaches nothing.
    """
    if isinstance(response_mask, torch.Tensor):
        response_mask = TrainingTokens.of(response_mask)
    signed_rate = response_mask.value(returns)
    return bin_of_pass_rate(signed_rate.abs(), num_rollouts), signed_rate > 0
