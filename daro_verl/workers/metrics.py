"""What DARO's actor worker logs once per optimizer step. verl prefixes ``actor/`` and averages over a step's updates.

verl reduces a metric by its name (``max``, ``min``, ``sum``, ``total`` anywhere in it), so none of these words occurs.
"""

import math

import torch

from daro_verl.objective import bin_label, objective
from daro_verl.workers.bin_counts import BinCounts
from daro_verl.workers.difficulty_weights import DifficultyWeights
from daro_verl.workers.mini_batch import MiniBatch


def step_metrics(
    mini_batch: MiniBatch, used_weights: torch.Tensor, losses: torch.Tensor, weights: DifficultyWeights
) -> dict[str, float]:
    """Per bin ``k = 1 .. G-1``; those marked * only where the bin is present:

    - ``daro/weight``: ``w_k`` after the update;
    - ``daro/loss``*: ``L_k``; ``daro/weighted_loss``*: ``w_k (T_k / D_k) L_k``, its part of the model's loss, with the
      weight that the model's step used; ``daro/loss_share``*: the absolute value of that, over the sum of those of all
      bins (the loss scale issue);
    - ``daro/loss_on_policy``*: what ``L_k`` is by lengths and rewards alone if every ratio is 1 (paper, Theorem 1), and
      ``daro/loss_gap``*: ``|L_k - that| / larger of the two``;
    - ``daro/loss_not_positive``: share of the updates so far in which the present bin had ``L_k <= 0``;
    - ``daro/loss_snr``*: mean over deviation of ``L_k`` over about the last 50 updates, from the second on;
    - ``daro/token_share``: of all response tokens that train (bins 0 and G count), and ``daro/token_share_right``,
      ``daro/token_share_wrong``: those of its successful / failed responses;
    - ``daro/length_right``*, ``daro/length_wrong``*: mean tokens of a successful / failed response.

    Per bin ``k = 0 .. G``: ``daro/response_share``, of all responses that train: the histogram of pass rates.

    ``daro/objective`` = ``sum over bins present of [weighted loss - nu_k ln w_k]`` (no logarithm where the weights do
    not learn), ``daro/loss_share_ratio``, the largest ``loss_share`` over the smallest (left out where that
    is 0), ``daro/loss_not_finite``, the bins present whose loss is NaN or infinite, ``daro/taught_nothing``, the share
    of responses in bins 0 and G, ``daro/missed_by_threshold``, those of them that have an advantage (see the option
    ``success_threshold``), and ``daro/reward_not_finite``, the responses whose reward is NaN or infinite. The
    worker adds ``daro/weight_version/max``, the number of updates so far (the last of a step, not their average), and
    ``daro/gradient_not_finite``, 1 where the model's gradient norm was.

    Args:
        mini_batch: counts and scale of the step.
        used_weights: [G-1] ``w_k`` before the update.
        losses: [G-1] ``L_k``.
        weights: after the update.
    """
    counts = BinCounts(mini_batch.counts.values.cpu())
    present = counts.tokens[1:-1] > 0
    weighted = (mini_batch.scale.cpu() * counts.tokens)[1:-1] * losses
    loss_share = weighted.abs() / weighted[present].abs().sum()
    response_share = (counts.responses / counts.responses.sum().clamp(min=1)).tolist()
    metrics = {
        "daro/objective": objective(
            weighted, used_weights if weights.learns else torch.ones_like(used_weights), weights.contributions, present
        ),
        "daro/loss_not_finite": float((present & ~losses.isfinite()).sum()),
        "daro/missed_by_threshold": (counts.with_advantage[0] + counts.with_advantage[-1]).item(),
        "daro/reward_not_finite": counts.lost.sum().item(),
        "daro/taught_nothing": response_share[0] + response_share[-1],
    }
    labels = [bin_label(k, weights.num_rollouts) for k in range(weights.num_rollouts + 1)]
    metrics |= {f"daro/response_share/{label}": share for label, share in zip(labels, response_share, strict=True)}
    if (loss_share[present] > 0).any() and loss_share[present].amin() != 0:
        metrics["daro/loss_share_ratio"] = (loss_share[present].amax() / loss_share[present].amin()).item()
    everywhere, where_present = _of_bins(counts, weights), _of_bins_present(counts, losses)
    where_present |= {
        "weighted_loss": weighted,
        "loss_share": loss_share,
        "loss_snr": weights.history.signal_to_noise(),
    }
    for k in range(1, weights.num_rollouts):
        row = everywhere | where_present if present[k - 1] else everywhere
        values = {name: value[k - 1].item() for name, value in row.items()}
        metrics |= {f"daro/{name}/{labels[k]}": value for name, value in values.items() if not _undefined(name, value)}
    return metrics


def _of_bins(counts: BinCounts, weights: DifficultyWeights) -> dict[str, torch.Tensor]:
    num_tokens, history = counts.tokens.sum().clamp(min=1), weights.history
    return {
        "weight": weights.weights(),
        "loss_not_positive": history.num_not_positive / history.num_updates.clamp(min=1),
        "token_share": counts.tokens[1:-1] / num_tokens,
        "token_share_right": counts.tokens_right[1:-1] / num_tokens,
        "token_share_wrong": (counts.tokens - counts.tokens_right)[1:-1] / num_tokens,
    }


def _of_bins_present(counts: BinCounts, losses: torch.Tensor) -> dict[str, torch.Tensor]:
    on_policy = counts.loss_on_policy()[1:-1]
    wrong = counts.responses - counts.responses_right
    return {
        "loss": losses,
        "loss_on_policy": on_policy,
        "loss_gap": (losses - on_policy).abs() / torch.maximum(losses.abs(), on_policy.abs()),
        "length_right": (counts.tokens_right / counts.responses_right)[1:-1],
        "length_wrong": ((counts.tokens - counts.tokens_right) / wrong)[1:-1],
    }


def _undefined(name: str, value: float) -> bool:
    """A mean over no response, a ratio of zeros; a loss that is not finite is shown as it is."""
    return math.isnan(value) and name in ("loss_gap", "length_right", "length_wrong", "loss_snr", "loss_share")
