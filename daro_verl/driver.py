"""DARO on the driver: the estimator as verl calls it, and the histogram of pass rates for verl's loggers.

The estimator sees the prompts, but verl gives it no place for metrics: their pass rates are counted here until verl
computes the step's metrics, in the same process. Several estimator calls in one step add up.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from daro_verl.advantage.bins import bin_label, bin_of_pass_rate
from daro_verl.advantage.estimator import advantage_factor, advantage_of_groups, prompt_groups
from daro_verl.advantage.groups import PromptGroups
from daro_verl.advantage.sessions import final_rows
from daro_verl.errors import DaroSeamError, got_expected_fix


@dataclass
class _Seen:
    """What the estimator saw since the last metrics: sums over prompts per bin [G+1], and responses left out."""

    prompts: torch.Tensor
    factors: torch.Tensor
    not_finite: int

    def __add__(self, other: "_Seen") -> "_Seen":
        return _Seen(self.prompts + other.prompts, self.factors + other.factors, self.not_finite + other.not_finite)


_seen: _Seen | None = None
_last: tuple[Sequence[Any], PromptGroups] | None = None


def estimate_advantage(
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: Any,
    config: Any = None,
    final_row: torch.Tensor | None = None,
    **_: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """:func:`~daro_verl.advantage.compute_daro_advantage`, for a job that :func:`~daro_verl.job.prepare_job` prepared.

    Args:
        final_row: where sessions have several outputs, see :func:`~daro_verl.advantage.estimator.prompt_groups`.

    Raises:
        DaroSeamError: the job was not prepared, so its workers would train without difficulty weights.
    """
    num_rollouts = ((config or {}).get("daro") or {}).get("num_rollouts")
    if num_rollouts is None:
        raise DaroSeamError(
            got_expected_fix(
                "algorithm.daro",
                "a job whose workers were not told about DARO",
                "a job that passed verl.utils.config.validate_config",
                "start it with verl.trainer.main_ppo, or call "
                "daro_verl.job.prepare_job(config) before the workers are made",
            )
        )
    groups = prompt_groups(token_level_rewards, response_mask, index, config, final_row)
    global _last
    _last = index, groups
    factor = advantage_factor(groups, config)
    _record(groups.pass_rate, factor, num_rollouts, int(groups.lost.sum()))
    return advantage_of_groups(groups, response_mask, factor)


def estimate_advantage_of_outputs(data: Any, batch_keys: Sequence[str], config: Any) -> Any:
    """Write ``advantages`` and ``returns`` into verl's ``data``, one row per output of a session.

    Args:
        data: verl's DataProto, with rewards, mask and uid.
        batch_keys: verl's key of each row, which tells the sessions apart.
        config: verl's ``algorithm`` node.
    """
    data.batch["advantages"], data.batch["returns"] = estimate_advantage(
        token_level_rewards=data.batch["token_level_rewards"],
        response_mask=data.batch["response_mask"],
        index=data.non_tensor_batch["uid"],
        config=config,
        final_row=final_rows(batch_keys),
    )
    return data


def last_counts() -> dict[str, tuple[float, int]]:
    """By uid, pass rate and number of valid responses of the prompts whose advantages were estimated last."""
    if _last is None:
        return {}
    index, groups = _last
    row_of = dict(zip(map(str, index), groups.prompt_of.tolist(), strict=True))
    rates, numbers = groups.pass_rate.tolist(), groups.num_responses.tolist()
    return {uid: (rates[row], int(numbers[row])) for uid, row in row_of.items()}


def _record(pass_rate: torch.Tensor, factor: torch.Tensor, num_rollouts: int, not_finite: int) -> None:
    global _seen
    known = ~pass_rate.isnan()
    bins, factor = bin_of_pass_rate(pass_rate[known], num_rollouts), factor[known]
    prompts = torch.bincount(bins, minlength=num_rollouts + 1).double()
    factors = torch.zeros_like(prompts).index_add_(0, bins, factor)
    seen = _Seen(prompts.cpu(), factors.cpu(), not_finite)
    _seen = seen if _seen is None else _seen + seen


def drain_pass_rates() -> dict[str, float]:
    """The metrics since the last call; empty in a job without DARO.

    ``daro/pass_rate/{k}of{G}``: share of prompts with ``k`` of ``G`` responses right, ``k = 0 .. G``;
    ``daro/taught_nothing``: share of prompts with pass rate 0 or 1; ``daro/num_prompts``; ``daro/reward_not_finite``:
    responses left out because their reward is NaN or infinite; ``daro/advantage_factor/{k}of{G}``, ``k = 1 .. G-1``,
    where the weighting has one: its mean over the bin's prompts. ``L_k`` over it is that of centred advantages.
    """
    global _seen
    seen, _seen = _seen, None
    if seen is None or seen.prompts.sum() == 0:
        return {}
    num_rollouts = seen.prompts.numel() - 1
    shares = (seen.prompts / seen.prompts.sum()).tolist()
    metrics = {f"daro/pass_rate/{bin_label(k, num_rollouts)}": share for k, share in enumerate(shares)}
    factors = (seen.factors / seen.prompts)[1:-1].tolist()
    if any(not math.isnan(factor) and factor != 1 for factor in factors):
        for k, factor in enumerate(factors, start=1):
            if not math.isnan(factor):
                metrics[f"daro/advantage_factor/{bin_label(k, num_rollouts)}"] = factor
    return metrics | {
        "daro/taught_nothing": shares[0] + shares[-1],
        "daro/num_prompts": seen.prompts.sum().item(),
        "daro/reward_not_finite": float(seen.not_finite),
    }
