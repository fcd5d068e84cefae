"""The estimator as verl's trainers call it, on the driver."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from daro_verl.advantage.estimator import advantages_of, log_lost, session_scores
from daro_verl.advantage.groups import PromptGroups, final_rows, group_by_prompt
from daro_verl.advantage.reward_range import AUTO, SeenRewards, seen_rewards
from daro_verl.advantage.weighting import find_weighting
from daro_verl.errors import DaroVerlError

logger = logging.getLogger(__name__)


def estimate_advantage(
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: Any,
    config: Mapping[str, Any] | None = None,
    final_row: torch.Tensor | None = None,
    **_: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Call :func:`~daro_verl.advantage.compute_daro_advantage` with the options of a prepared job.

    The range of the rewards covers all batches so far, including this one.

    Args:
        token_level_rewards, response_mask, index, final_row: see there.
        config: verl's ``algorithm`` node, with every option from :func:`~daro_verl.job.prepare_job`.

    Raises:
        DaroVerlError: the job was not prepared, so its workers would train without difficulty weights.
    """
    options = (config or {}).get("daro") or {}
    if options.get("num_rollouts") is None:
        raise DaroVerlError(
            "algorithm.daro",
            got="a job whose workers were not told about DARO",
            expected="a job that passed verl.utils.config.validate_config",
            fix="start it with verl.trainer.main_ppo, or call daro_verl.job.prepare_job(config) before you make the "
            "workers",
        )
    seen = rewards_of_job(options.get("rewards"))
    scores, has_tokens, once = session_scores(token_level_rewards, response_mask, final_row)
    threshold = threshold_of(options["success_threshold"])
    groups = group_by_prompt(scores, has_tokens, index, threshold, once, seen.see(scores[has_tokens]))
    if groups.lost.any() and seen.log_limit.allows("lost"):
        log_lost(groups, index)
    weighting = find_weighting(options["weighting"])
    if not weighting.raw_rewards:
        _warn_of_threshold(groups, threshold, seen)
    return advantages_of(groups, response_mask, weighting)


def threshold_of(option: float | str) -> float | None:
    """``algorithm.daro.success_threshold`` as a number; None for ``auto``."""
    return None if option == AUTO else float(option)


def rewards_of_job(saved: Mapping[str, Any] | None) -> SeenRewards:
    """The rewards that a job has seen. The estimator and the replay buffer of a process share one object.

    Args:
        saved: where the job saves their range, from :func:`~daro_verl.job.prepare_job`; None: nowhere.
    """
    if saved is None:
        return SeenRewards()
    given = tuple(saved["given"]) if saved["given"] is not None else None
    return seen_rewards(saved["file"], saved["resumed_file"], saved["step"], given)


def _warn_of_threshold(groups: PromptGroups, threshold: float | None, seen: SeenRewards) -> None:
    """Warn if a prompt's rewards differ but all lie on one side of the threshold, because it then teaches nothing."""
    if threshold is None:
        return
    one_sided = groups.differs & ((groups.pass_rate == 0) | (groups.pass_rate == 1))
    if not one_sided.any() or not seen.log_limit.allows("threshold"):
        return
    rows = groups.counted & (groups.prompt_of == one_sided.nonzero()[0])
    logger.warning(
        "%d of %d prompts teach nothing although their rewards differ, for example %s: all are on one side of "
        "algorithm.daro.success_threshold=%g. Choose a threshold between the rewards of a failure and of a success, "
        "or remove the option. The metric actor/daro/missed_by_threshold counts these responses.",
        int(one_sided.sum()),
        len(one_sided),
        [round(score, 6) for score in groups.scores[rows].tolist()],
        threshold,
    )


def ends_in_tokens(response_mask: torch.Tensor, batch_keys: Sequence[str]) -> bool:
    """Whether the last output of every session has tokens. verl's own reduction cannot see sessions without them."""
    rows = final_rows(batch_keys)
    return bool((response_mask if rows is None else response_mask[rows]).any(dim=-1).all())


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
