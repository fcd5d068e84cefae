"""What DARO's actor worker logs once per optimizer step. verl prefixes ``actor/`` and averages over a step's updates.

verl reduces a metric by its name, if ``max``, ``min``, ``sum`` or ``total`` is anywhere in it. So a name contains these
words only if it should be reduced that way.
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
    """All metrics of a step. :mod:`daro_verl.metric_set` says which of them are logged.

    Per bin ``k = 1 .. G-1``. A metric with * exists only if the bin is present:

    - ``daro/weight``: ``w_k`` after the update;
    - ``daro/loss``*: ``L_k``;
    - ``daro/weighted_loss``*: ``w_k (T_k / D_k) L_k``, the bin's part of the model's loss, with the weight that the
      model's step used;
    - ``daro/loss_share``*: the absolute ``weighted_loss`` over the sum of all bins' absolute values (the loss scale
      issue);
    - ``daro/loss_on_policy``*: ``L_k`` from lengths and rewards alone, if every ratio is 1 (paper, Theorem 1);
    - ``daro/loss_gap``*: ``|loss - loss_on_policy| / larger of the two``, both as absolute values;
    - ``daro/loss_not_positive``: share of the updates so far in which the present bin had ``L_k <= 0``;
    - ``daro/loss_snr``*: mean over deviation of ``L_k`` over about the last 50 updates, from the second on;
    - ``daro/token_share``: the bin's share of all response tokens that train (bins 0 and G count);
    - ``daro/token_share_right``, ``daro/token_share_wrong``: the same for its successful / failed responses;
    - ``daro/length_right``*, ``daro/length_wrong``*: mean tokens of a successful / failed response.

    Per bin ``k = 0 .. G``:

    - ``daro/response_share``: the bin's share of all responses that train. This is the histogram of pass rates.

    Over all bins, ``daro/``:

    - ``objective``: ``sum over bins present of [weighted loss - nu_k ln w_k]``, without the logarithm if the weights do
      not learn;
    - ``pass_rate``: ``sum_k (k / G) response_share_k``;
    - ``taught_nothing``: the share of responses in bins 0 and G;
    - ``weights/min``, ``weights/max``: the smallest and the largest ``w_k`` after the update;
    - ``weights_at_bound``: the share of the weights at ``weight_min`` or ``weight_max``;
    - ``loss_share_ratio``: the largest ``loss_share`` over the smallest; left out if the smallest is 0;
    - ``loss_snr_median``: the median ``loss_snr`` of the bins present that have one;
    - ``missed_by_threshold``: responses in bins 0 and G that have an advantage (see the option ``success_threshold``);
    - ``loss_not_finite``: bins present whose loss is NaN or infinite;
    - ``reward_not_finite``: responses whose reward is NaN or infinite.

    The worker adds two:

    - ``weight_version/max``: the number of updates so far, at the last update of a step;
    - ``gradient_not_finite``: 1 if the norm of the model's gradient is not finite.

    Args:
        mini_batch: counts and scale of the step.
        used_weights: [G-1] ``w_k`` before the update.
        losses: [G-1] ``L_k``.
        weights: after the update.
    """
    counts = BinCounts(mini_batch.counts.values.cpu())
    present = counts.tokens[1:-1] > 0
    weighted = (mini_batch.scale.cpu() * counts.tokens)[1:-1] * losses
    shares = {"weighted_loss": weighted, "loss_share": weighted.abs() / weighted[present].abs().sum()}
    shares["loss_snr"] = weights.history.signal_to_noise()
    metrics = _of_responses(counts, weights.num_rollouts) | _of_weights(weights)
    metrics["daro/loss_not_finite"] = float((present & ~losses.isfinite()).sum())
    log_weights_of = used_weights if weights.learns else torch.ones_like(used_weights)
    metrics["daro/objective"] = objective(weighted, log_weights_of, weights.contributions, present)
    metrics |= _over_bins_present(shares["loss_share"][present], shares["loss_snr"][present])
    everywhere, where_present = _of_bins(counts, weights), _of_bins_present(counts, losses) | shares
    for k in range(1, weights.num_rollouts):
        row = everywhere | where_present if present[k - 1] else everywhere
        values = {f"daro/{name}/{bin_label(k, weights.num_rollouts)}": row[name][k - 1].item() for name in row}
        metrics |= {name: value for name, value in values.items() if not _undefined(name.split("/")[1], value)}
    return metrics


def _of_responses(counts: BinCounts, num_rollouts: int) -> dict[str, float]:
    share = (counts.responses / counts.responses.sum().clamp(min=1)).tolist()
    num_scored = (counts.responses.sum() - counts.lost.sum()).clamp(min=1)
    right = counts.responses @ torch.arange(num_rollouts + 1).to(counts.responses) / num_rollouts
    return {
        "daro/pass_rate": (right / num_scored).item(),
        "daro/taught_nothing": share[0] + share[-1],
        "daro/missed_by_threshold": (counts.with_advantage[0] + counts.with_advantage[-1]).item(),
        "daro/reward_not_finite": counts.lost.sum().item(),
    } | {f"daro/response_share/{bin_label(k, num_rollouts)}": share_k for k, share_k in enumerate(share)}


def _of_weights(weights: DifficultyWeights) -> dict[str, float]:
    w = weights.weights()
    return {
        "daro/weights/min": w.min().item(),
        "daro/weights/max": w.max().item(),
        "daro/weights_at_bound": weights.at_bound().double().mean().item(),
    }


def _over_bins_present(loss_share: torch.Tensor, snr: torch.Tensor) -> dict[str, float]:
    """The metrics that have a value. verl averages over updates, so one infinite ratio would spoil the mean."""
    metrics = {}
    if (loss_share > 0).any() and loss_share.min() != 0:
        metrics["daro/loss_share_ratio"] = (loss_share.max() / loss_share.min()).item()
    if not snr.isnan().all():
        metrics["daro/loss_snr_median"] = snr.nanmedian().item()
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
    """Whether the value is a mean over no response or a ratio of zeros. A loss that is not finite is logged."""
    return math.isnan(value) and name in ("loss_gap", "length_right", "length_wrong", "loss_snr", "loss_share")
