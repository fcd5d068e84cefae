"""The loss of a mini-batch as a weighted sum over difficulty bins: pure tensor functions, no verl.

    L_k  = (1 / T_k) * sum of the token losses of bin k          T_k = its response tokens in the whole mini-batch
    loss = sum_k w_k (T_k / D_k) L_k = sum over responses i of (w_k(i) / D_k(i)) * sum_t loss_it

DARO has ``D_k = T_k``; other weightings divide by other counts (``advantage/weighting.py``). All counts span
every micro-batch and every data-parallel rank, so the sum over responses may be split any way.
"""

import torch


def response_scale(weights: torch.Tensor, denominators: torch.Tensor) -> torch.Tensor:
    """The factor ``w_k / D_k`` of a response's summed token loss, per bin.

    Args:
        weights: [G-1] ``w_k`` of the bins 1 .. G-1; bins 0 and G have weight 1.
        denominators: [G+1] ``D_k``, infinite where a bin does not count.

    Returns:
        [G+1] float64; 0 where a bin does not count.
    """
    scale = 1 / denominators.double()
    scale[1:-1] *= weights.to(scale)
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
        """This micro-batch's part of ``sum_k w_k (T_k / D_k) L_k``.

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
