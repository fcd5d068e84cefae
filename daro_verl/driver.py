"""DARO on the driver: the estimator as verl calls it, and the histogram of pass rates for verl's loggers.

The estimator sees the prompts, but verl gives it no place for metrics: their pass rates are counted here until verl
computes the step's metrics, in the same process. Several estimator calls in one step add up.
"""

from typing import Any

import torch

from daro_verl.advantage.bins import bin_counts
from daro_verl.advantage.estimator import advantage_of_groups, prompt_groups
from daro_verl.errors import DaroSeamError, got_expected_fix

_prompts_per_bin: torch.Tensor | None = None


def estimate_advantage(
    token_level_rewards: torch.Tensor, response_mask: torch.Tensor, index: Any, config: Any = None, **_: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """:func:`~daro_verl.advantage.compute_daro_advantage`, for a job that :func:`~daro_verl.job.prepare_job` prepared.

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
    groups = prompt_groups(token_level_rewards, response_mask, index, config)
    _record(bin_counts(groups.pass_rate, num_rollouts).cpu())
    return advantage_of_groups(groups, response_mask)


def _record(counts: torch.Tensor) -> None:
    global _prompts_per_bin
    _prompts_per_bin = counts if _prompts_per_bin is None else _prompts_per_bin + counts


def drain_pass_rates() -> dict[str, float]:
    """The metrics since the last call; empty in a job without DARO.

    ``daro/pass_rate/{k}of{G}``: share of prompts with ``k`` of ``G`` responses right, ``k = 0 .. G``;
    ``daro/taught_nothing``: share of prompts with pass rate 0 or 1; ``daro/num_prompts``.
    """
    global _prompts_per_bin
    counts, _prompts_per_bin = _prompts_per_bin, None
    if counts is None or counts.sum() == 0:
        return {}
    num_rollouts = counts.numel() - 1
    shares = (counts / counts.sum()).tolist()
    metrics = {f"daro/pass_rate/{k}of{num_rollouts}": share for k, share in enumerate(shares)}
    return metrics | {"daro/taught_nothing": shares[0] + shares[-1], "daro/num_prompts": counts.sum().item()}
