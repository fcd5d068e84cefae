"""The estimator as verl's trainers call it, on the driver."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from daro_verl.advantage.estimator import compute_daro_advantage
from daro_verl.advantage.groups import final_rows
from daro_verl.advantage.weighting import find_weighting
from daro_verl.errors import DaroVerlError


def estimate_advantage(
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: Any,
    config: Mapping[str, Any] | None = None,
    final_row: torch.Tensor | None = None,
    **_: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """:func:`~daro_verl.advantage.compute_daro_advantage` with the options of a prepared job.

    Args:
        token_level_rewards, response_mask, index, final_row: see there.
        config: verl's ``algorithm`` node, in which :func:`~daro_verl.job.prepare_job` left every option.

    Raises:
        DaroVerlError: the job was not prepared, so its workers would train without difficulty weights.
    """
    options = (config or {}).get("daro") or {}
    if options.get("num_rollouts") is None:
        raise DaroVerlError(
            "algorithm.daro",
            got="a job whose workers were not told about DARO",
            expected="a job that passed verl.utils.config.validate_config",
            fix="start it with verl.trainer.main_ppo, or call daro_verl.job.prepare_job(config) before the workers "
            "are made",
        )
    weighting, threshold = find_weighting(options["weighting"]), options["success_threshold"]
    return compute_daro_advantage(token_level_rewards, response_mask, index, weighting, threshold, final_row)


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
