"""What DARO's actor worker logs once per optimizer step. verl prefixes ``actor/`` and averages over a step's updates.

verl reduces a metric by its name (``max``, ``min``, ``sum``, ``total`` anywhere in it), so none of these words occurs.
"""

import torch

from daro_verl.workers.difficulty_weights import DifficultyWeights


def bin_label(k: int, num_rollouts: int) -> str:
    """``3of8``: pass rate 3/8."""
    return f"{k}of{num_rollouts}"


def step_metrics(
    used_weights: torch.Tensor, losses: torch.Tensor, counts: torch.Tensor, weights: DifficultyWeights
) -> dict[str, float]:
    """Per bin ``k = 1 .. G-1`` (the loss only where the bin is present):

    - ``daro/weight``: ``w_k`` after the update;
    - ``daro/loss``: ``L_k``, and ``daro/weighted_loss``: ``w_k L_k`` with the weight that the model's step used;
    - ``daro/loss_not_positive``: share of the updates so far in which the present bin had ``L_k <= 0``;
    - ``daro/token_share``, ``daro/response_share``: of all response tokens / responses that train (bins 0 and G count);

    ``daro/objective`` = ``sum over bins present of [w_k L_k - ln w_k]``, and ``daro/loss_not_finite``, the bins present
    whose loss is NaN or infinite. The worker adds ``daro/weight_version/max``, the number of updates so far (the last
    of a step, not their average), and ``daro/gradient_not_finite``, 1 where the model's gradient norm was.

    Args:
        used_weights: [G-1] the weights of the model's step.
        losses: [G-1] ``L_k``.
        counts: [2, G + 1] tokens and responses per bin.
        weights: after the update.
    """
    num_rollouts = weights.num_rollouts
    counts, now = counts.cpu(), weights.weights()
    shares = counts / counts.sum(dim=-1, keepdim=True).clamp(min=1)
    present = counts[0, 1:-1] > 0
    not_positive = weights.num_not_positive / weights.num_updates.clamp(min=1)
    terms = used_weights * losses - used_weights.log()
    metrics = {
        "daro/objective": terms[present].sum().item(),
        "daro/loss_not_finite": float((present & ~losses.isfinite()).sum()),
    }
    for k in range(1, num_rollouts):
        row = {
            "weight": now[k - 1],
            "loss_not_positive": not_positive[k - 1],
            "token_share": shares[0, k],
            "response_share": shares[1, k],
        }
        if present[k - 1]:
            row |= {"loss": losses[k - 1], "weighted_loss": used_weights[k - 1] * losses[k - 1]}
        metrics |= {f"daro/{name}/{bin_label(k, num_rollouts)}": value.item() for name, value in row.items()}
    return metrics
