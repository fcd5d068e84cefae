"""Count what a mini-batch holds in each difficulty bin, before the model runs. Pure tensor functions, no verl."""

from dataclasses import dataclass

import torch

from daro_verl.advantage.pass_rates import PassRates
from daro_verl.advantage.tokens import TrainingTokens


@dataclass(frozen=True)
class BinCounts:
    """Sums over responses, per bin ``k = 0 .. G``. They add up over ranks.

    Attributes:
        values: [7, G + 1] float64. The properties name the rows.
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

    @property
    def lost(self) -> torch.Tensor:
        """Responses whose reward is NaN or infinite."""
        return self.values[5]

    @property
    def with_advantage(self) -> torch.Tensor:
        """Responses whose advantage is not 0."""
        return self.values[6]

    def loss_on_policy(self) -> torch.Tensor:
        """``-(1 / T_k) sum_i A_i len_i``, [G+1]: the value of ``L_k`` if every ratio is 1. NaN for an absent bin.

        With rewards of two values and centred advantages it is ``mu (1-mu) (len_neg - len_pos) / len_mean``. These are
        the mean lengths of the bin's failed, successful and all responses (paper, Theorem 1).
        """
        return -self.values[4] / self.tokens


def count_bins(
    bins: torch.Tensor, rates: PassRates, advantages: torch.Tensor, tokens: TrainingTokens, num_rollouts: int
) -> BinCounts:
    """Count this rank's part of a mini-batch.

    Args:
        bins: [num_responses] int64, ``k`` of each response.
        rates: pass rates of the responses.
        advantages: [num_responses, response_length], padded or nested as the mask is. All tokens of a response that
            train have the same value.
        tokens: which tokens of the responses train.
        num_rollouts: ``G``.
    """
    num, has_tokens, advantage = tokens.number.double(), (tokens.number > 0).double(), tokens.value(advantages).double()
    rows = [num, has_tokens, num * rates.success, has_tokens * rates.success, num * advantage]
    rows += [has_tokens * rates.lost, has_tokens * (advantage != 0)]
    sums = torch.zeros(len(rows), num_rollouts + 1, dtype=torch.float64, device=bins.device)
    return BinCounts(sums.scatter_add_(1, bins.expand(len(rows), -1), torch.stack(rows)))
