"""What a mini-batch holds in each difficulty bin, before the model sees it: pure tensor functions, no verl."""

from dataclasses import dataclass

import torch

from daro_verl.advantage.tokens import TrainingTokens


@dataclass(frozen=True)
class BinCounts:
    """Sums over responses, per bin ``k = 0 .. G``: they add up over ranks.

    Attributes:
        values: [5, G + 1] float64, the rows named by the properties.
    """

    values: torch.Tensor

    @property
    def tokens(self) -> torch.Tensor:
        """``T_k``, response tokens."""
        return self.values[0]

    @property
    def responses(self) -> torch.Tensor:
        """Responses with at least one token."""
        return self.values[1]

    @property
    def tokens_right(self) -> torch.Tensor:
        """Tokens of successful responses."""
        return self.values[2]

    @property
    def responses_right(self) -> torch.Tensor:
        """Successful responses with at least one token."""
        return self.values[3]

    def loss_on_policy(self) -> torch.Tensor:
        """``-(1 / T_k) sum_i A_i len_i``, [G+1]: what ``L_k`` is where every ratio is 1. NaN for an absent bin.

        With rewards of 0 and 1 it is ``mu (1-mu) (len_neg - len_pos) / len_mean`` for centred advantages, with mean
        lengths of the bin's failed, successful and all responses (paper, Theorem 1).
        """
        return -self.values[4] / self.tokens


def count_bins(
    bins: torch.Tensor,
    success: torch.Tensor,
    advantages: torch.Tensor,
    response_mask: torch.Tensor | TrainingTokens,
    num_rollouts: int,
) -> BinCounts:
    """Count this rank's part of a mini-batch.

    Args:
        bins: [num_responses] int64, ``k`` of each response.
        success: [num_responses] bool.
        advantages: [num_responses, response_length], padded or nested as the mask is; the same on all of a response's
            tokens that train.
        response_mask: [num_responses, response_length], 1 on tokens that train; or what was found in it.
        num_rollouts: ``G``.
    """
    if isinstance(response_mask, torch.Tensor):
        response_mask = TrainingTokens.of(response_mask)
    tokens, responses = response_mask.number.double(), (response_mask.number > 0).double()
    advantage = response_mask.value(advantages).double()
    rows = torch.stack([tokens, responses, tokens * success, responses * success, tokens * advantage])
    sums = torch.zeros(5, num_rollouts + 1, dtype=torch.float64, device=bins.device)
    return BinCounts(sums.scatter_add_(1, bins.expand(5, -1), rows))
