"""The advantage estimator of every weighting: centred rewards, and the prompt's pass rate beside them."""

import logging

import numpy as np
import torch

from daro_verl.advantage.groups import PromptGroups, group_by_prompt
from daro_verl.advantage.pass_rates import written_pass_rates
from daro_verl.advantage.reward_range import UNIT, RewardRange
from daro_verl.advantage.weighting import Weighting

logger = logging.getLogger(__name__)


def compute_daro_advantage(
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: np.ndarray,
    weighting: Weighting,
    success_threshold: float | None = None,
    final_row: torch.Tensor | None = None,
    reward_range: RewardRange = UNIT,
) -> tuple[torch.Tensor, torch.Tensor]:
    """``A_i = f (r_i - mean(r of its prompt))`` and the prompt's difficulty, on every response token.

    ``f`` is the weighting's :meth:`~daro_verl.advantage.Weighting.advantage_factor`. DARO's is 1, because DARO learns
    any factor that depends on the pass rate alone (paper; at ``w = 1/L`` it cancels). ``r_i`` is in units of the
    rewards' range (ours), or the reward itself (:attr:`~daro_verl.advantage.Weighting.raw_rewards`).

    Args:
        token_level_rewards: [num_responses, response_length]. A response's reward is the sum over its row.
        response_mask: [num_responses, response_length], 1 on response tokens. A row without any is padding: it does not
            count in a prompt's statistics, and gets zeros.
        index: [num_responses] the prompt's id (verl's uid). Any order and uneven groups are allowed.
        weighting: the job's weighting.
        success_threshold: how rewards become difficulties (:func:`~daro_verl.advantage.groups.group_by_prompt`).
        reward_range: see the same function.
        final_row: see :func:`prompt_groups`.

    Returns:
        ``(advantages, returns)``, both [num_responses, response_length] in the dtype of the rewards. They are ``A_i``
        and the difficulty (:mod:`~daro_verl.advantage.pass_rates`) on response tokens, and 0 elsewhere. A prompt with
        one response has advantage 0.
    """
    groups = prompt_groups(token_level_rewards, response_mask, index, success_threshold, final_row, reward_range)
    return advantages_of(groups, response_mask, weighting)


def advantages_of(
    groups: PromptGroups, response_mask: torch.Tensor, weighting: Weighting
) -> tuple[torch.Tensor, torch.Tensor]:
    """The result of :func:`compute_daro_advantage`, from the batch's prompts."""
    if weighting.raw_rewards:
        centred = groups.scores.double() - groups.mean_score[groups.prompt_of]
    else:
        centred = groups.in_units - groups.mean_in_units[groups.prompt_of]
    advantage = weighting.advantage_factor(groups)[groups.prompt_of] * centred
    teaches = groups.counted & groups.differs[groups.prompt_of]  # without rounding: equal rewards have advantage 0
    advantage = torch.where(teaches, advantage, 0.0).to(groups.scores.dtype)
    pass_rate = written_pass_rates(groups).to(groups.scores.dtype)
    # One copy of the mask in the dtype of the rewards. It then becomes the first result: memory is what this costs.
    mask = response_mask.to(groups.scores.dtype, copy=True)
    returns = pass_rate.unsqueeze(-1) * mask
    return mask.mul_(advantage.unsqueeze(-1)), returns


def prompt_groups(
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: np.ndarray,
    success_threshold: float | None = None,
    final_row: torch.Tensor | None = None,
    reward_range: RewardRange = UNIT,
) -> PromptGroups:
    """The batch's prompts. The other arguments are those of :func:`compute_daro_advantage`.

    Args:
        final_row: [num_responses] int64, for sessions with several outputs: the row that stands for the session
            (:func:`~daro_verl.advantage.groups.final_rows`). Its reward is the session's. The session counts once in
            its prompt's pass rate, however many outputs it has.

    A reward that is not finite counts nowhere. The log gives the prompt's pass rate without it.
    """
    scores, has_tokens, once = session_scores(token_level_rewards, response_mask, final_row)
    groups = group_by_prompt(scores, has_tokens, index, success_threshold, once, reward_range)
    log_lost(groups, index)
    return groups


def session_scores(
    token_level_rewards: torch.Tensor, response_mask: torch.Tensor, final_row: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Of each row: its session's reward, whether the session has tokens, and whether the row stands for the session.

    All three are [num_responses]. The third is None if every row is a session. The arguments are as in
    :func:`prompt_groups`.
    """
    scores = token_level_rewards.detach().sum(dim=-1)
    has_tokens = response_mask.sum(dim=-1) > 0  # several times faster than any()
    if final_row is None:
        return scores, has_tokens, None
    final_row = final_row.to(scores.device)
    once = final_row == torch.arange(len(scores), device=scores.device)
    outputs_with_tokens = torch.zeros_like(scores).index_add_(0, final_row, has_tokens.to(scores.dtype))
    return scores[final_row], outputs_with_tokens[final_row] > 0, once


def log_lost(groups: PromptGroups, index: np.ndarray) -> None:
    """Log the prompts that lost responses whose reward is not finite, and their pass rates without those."""
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
