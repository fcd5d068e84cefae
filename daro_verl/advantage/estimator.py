"""The advantage estimator of every weighting: centred rewards, with the prompt's pass rate sent along."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from daro_verl.advantage.groups import PromptGroups, group_by_prompt
from daro_verl.advantage.weighting import find_weighting

logger = logging.getLogger(__name__)


def compute_daro_advantage(
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: np.ndarray,
    config: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """``A_i = f (r_i - mean(r of its prompt))`` and the prompt's pass rate, on every response token.

    ``f`` is the weighting's :meth:`~daro_verl.advantage.Weighting.advantage_factor`; DARO's is 1: a factor that depends
    on the pass rate alone is what it learns (paper; at ``w = 1/L`` it cancels). The pass rate travels in ``returns``,
    which only a critic would read; DARO has none.

    Args:
        token_level_rewards: [num_responses, response_length]; a response's reward is the sum over its row.
        response_mask: [num_responses, response_length], 1 on response tokens. A row without any is padding: it counts
            in no prompt's statistics and gets zeros.
        index: [num_responses] the prompt's id (verl's uid), any order, uneven groups allowed.
        config: verl's ``algorithm`` node; ``daro.weighting`` and ``daro.success_threshold`` are read. None takes the
            defaults.
        **kwargs: what verl passes to other estimators; ignored.

    Returns:
        ``(advantages, returns)``, both [num_responses, response_length] in the dtype of the rewards: ``A_i``, and the
        pass rate ``mu`` (a failed response: ``-mu``), on response tokens, 0 elsewhere. A prompt with one response has
        advantage 0.
    """
    groups = prompt_groups(token_level_rewards, response_mask, index, config)
    return advantage_of_groups(groups, response_mask, advantage_factor(groups, config))


def prompt_groups(
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: np.ndarray,
    config: Mapping[str, Any] | None = None,
    final_row: torch.Tensor | None = None,
) -> PromptGroups:
    """The batch's prompts; arguments as the estimator's.

    Args:
        final_row: [num_responses] int64, where a session has several outputs: the row that stands for the session
            (:func:`~daro_verl.advantage.sessions.final_rows`). Its reward is the session's, and the session counts
            once in its prompt's pass rate, however many outputs it has.

    A reward that is not finite is logged, with the prompt's pass rate without it, and counts nowhere.
    """
    scores = token_level_rewards.detach().sum(dim=-1)
    has_tokens, once = response_mask.sum(dim=-1) > 0, None  # several times faster than any()
    if final_row is not None:
        final_row = final_row.to(scores.device)
        once = final_row == torch.arange(len(scores), device=scores.device)
        outputs_with_tokens = torch.zeros_like(scores).index_add_(0, final_row, has_tokens.to(scores.dtype))
        scores, has_tokens = scores[final_row], outputs_with_tokens[final_row] > 0
    groups = group_by_prompt(scores, has_tokens, index, _option(config, "success_threshold"), once)
    _log_lost(groups, index)
    return groups


def _log_lost(groups: PromptGroups, index: np.ndarray) -> None:
    rows = groups.lost.nonzero().flatten().tolist()
    if not rows:
        return
    seen = {str(index[row]): groups.pass_rate[groups.prompt_of[row]].item() for row in rows}
    shown = ", ".join(f"{prompt} ({rate:.3g})" for prompt, rate in list(seen.items())[:8])
    logger.warning(
        "DARO left out %d responses whose reward is NaN or infinite, of %d prompts. Pass rate of their other "
        "responses: %s%s",
        len(rows),
        len(seen),
        shown,
        ", ..." if len(seen) > 8 else "",
    )


def advantage_factor(groups: PromptGroups, config: Mapping[str, Any] | None) -> torch.Tensor:
    """``f`` [num_prompts] float64 of the job's weighting; ``config`` as the estimator's."""
    return find_weighting(_option(config, "weighting")).advantage_factor(groups)


def advantage_of_groups(
    groups: PromptGroups, response_mask: torch.Tensor, factor: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """``(advantages, returns)`` as :func:`compute_daro_advantage` gives them, from the prompts' statistics.

    Args:
        factor: [num_prompts] :func:`advantage_factor`; None is 1.
    """
    centred = groups.scores.double() - groups.mean_score[groups.prompt_of]
    pass_rate = groups.pass_rate[groups.prompt_of]
    signed_rate = torch.where(groups.success, pass_rate, -pass_rate)
    advantage = centred if factor is None else factor[groups.prompt_of] * centred
    advantage, signed_rate = (
        torch.where(groups.counted, value, 0.0).to(groups.scores.dtype).unsqueeze(-1)
        for value in (advantage, signed_rate)
    )
    # One copy of the mask in the dtype of the rewards, which then becomes the second result: memory is what this costs.
    mask = response_mask.to(groups.scores.dtype, copy=True)
    returns = signed_rate * mask
    return mask.mul_(advantage), returns


def _option(config: Mapping[str, Any] | None, name: str) -> Any:
    """``daro.<name>`` of verl's ``algorithm`` node, or its default."""
    from daro_verl.config import DaroConfig  # which checks names of weightings, so it needs this package first

    return ((config or {}).get("daro") or {}).get(name, getattr(DaroConfig, name))
