"""DARO on the driver: the estimator as verl calls it, and the histogram of pass rates for verl's loggers.

The estimator sees the prompts, but verl gives it no place for metrics: their pass rates are counted here until verl
computes the step's metrics, in the same process. Several estimator calls in one step add up.
"""

from collections.abc import Sequence
from typing import Any

import torch

from daro_verl.advantage.bins import bin_counts
from daro_verl.advantage.estimator import advantage_of_groups, prompt_groups
from daro_verl.advantage.sessions import final_rows
from daro_verl.errors import DaroSeamError, got_expected_fix

_prompts_per_bin: torch.Tensor | None = None
_rewards_not_finite = 0


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
    lost = response_mask.bool().any(dim=-1) & ~groups.counted
    _record(bin_counts(groups.pass_rate, num_rollouts).cpu(), int(lost.sum()))
    return advantage_of_groups(groups, response_mask)


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


def _record(counts: torch.Tensor, not_finite: int) -> None:
    global _prompts_per_bin, _rewards_not_finite
    _prompts_per_bin = counts if _prompts_per_bin is None else _prompts_per_bin + counts
    _rewards_not_finite += not_finite


def drain_pass_rates() -> dict[str, float]:
    """The metrics since the last call; empty in a job without DARO.

    ``daro/pass_rate/{k}of{G}``: share of prompts with ``k`` of ``G`` responses right, ``k = 0 .. G``;
    ``daro/taught_nothing``: share of prompts with pass rate 0 or 1; ``daro/num_prompts``; ``daro/reward_not_finite``:
    responses left out because their reward is NaN or infinite.
    """
    global _prompts_per_bin, _rewards_not_finite
    counts, _prompts_per_bin = _prompts_per_bin, None
    not_finite, _rewards_not_finite = _rewards_not_finite, 0
    if counts is None or counts.sum() == 0:
        return {}
    num_rollouts = counts.numel() - 1
    shares = (counts / counts.sum()).tolist()
    metrics = {f"daro/pass_rate/{k}of{num_rollouts}": share for k, share in enumerate(shares)}
    return metrics | {
        "daro/taught_nothing": shares[0] + shares[-1],
        "daro/num_prompts": counts.sum().item(),
        "daro/reward_not_finite": float(not_finite),
    }
