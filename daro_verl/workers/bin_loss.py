"""The loss of a mini-batch as a weighted sum over difficulty bins: pure tensor functions, no verl.

    L_k  = (1 / T_k) * sum of the token losses of bin k          T_k = its response tokens in the whole mini-batch
    loss = sum_k w_k L_k = sum over responses i of (w_k(i) / T_k(i)) * sum_t loss_it

``T_k`` spans every micro-batch and every data-parallel rank, so the sum over responses may be split any way.
"""

import torch


def count_bins(bins: torch.Tensor, response_mask: torch.Tensor, num_rollouts: int) -> torch.Tensor:
    """Tokens and responses of each bin on this rank.

    Args:
        bins: [num_responses] int64, ``k`` of each response.
        response_mask: [num_responses, response_length], 1 on tokens that train.
        num_rollouts: ``G``.

    Returns:
        [2, G + 1] float64: response tokens and responses with at least one token, per bin.
    """
    tokens = response_mask.bool().sum(dim=-1).double()
    counts = torch.zeros(2, num_rollouts + 1, dtype=torch.float64, device=bins.device)
    return counts.index_add_(1, bins, torch.stack([tokens, (tokens > 0).double()]))


def response_scale(weights: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """The factor ``w_k / T_k`` of a response's summed token loss, per bin.

    Args:
        weights: [G-1] ``w_k``.
        tokens: [G+1] ``T_k`` over all ranks.

    Returns:
        [G+1] float64; 0 for the bins that teach nothing (0 and G) and for absent ones.
    """
    scale = torch.zeros_like(tokens, dtype=torch.float64)
    scale[1:-1] = torch.where(tokens[1:-1] > 0, weights.to(tokens) / tokens[1:-1].clamp(min=1), 0.0)
    return scale


class BinLoss:
    """Sums token losses into the scalar that the model minimises, and into the bins' losses on the way.

    Lives for one mini-batch on one rank; called once per micro-batch.

    Attributes:
        sums: [G+1] float64, token losses summed per bin over the micro-batches so far on this rank, without gradient.
        num_calls: micro-batches so far.
    """

    def __init__(self, scale: torch.Tensor) -> None:
        """Args:
        scale: [G+1] :func:`response_scale` of the mini-batch, on the device of the losses.
        """
        self.scale = scale
        self.sums = torch.zeros_like(scale, dtype=torch.float64)
        self.num_calls = 0

    def __call__(self, token_loss: torch.Tensor, mask: torch.Tensor, bins: torch.Tensor, dp_size: int) -> torch.Tensor:
        """This micro-batch's part of ``sum_k w_k L_k``.

        Args:
            token_loss: [num_responses, response_length] verl's token losses.
            mask: [num_responses, response_length] response tokens.
            bins: [num_responses] int64.
            dp_size: data-parallel ranks. The engines average gradients over them, so each rank's part is multiplied
                by their number, as verl's own ``agg_loss`` does.
        """
        per_response = torch.where(mask.bool(), token_loss, 0.0).sum(dim=-1)
        self.sums.index_add_(0, bins, per_response.detach().double())
        self.num_calls += 1
        return (per_response * self.scale[bins].to(per_response.dtype)).sum() * dp_size
