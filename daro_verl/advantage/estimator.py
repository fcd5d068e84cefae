"""The advantage estimator of every weighting: centred rewards, with the prompt's pass rate sent along."""

import logging

import numpy as np
import torch

from daro_verl.advantage.groups import PromptGroups, group_by_prompt
from daro_verl.advantage.pass_rates import written_pass_rates
from daro_verl.advantage.weighting import Weighting

logger = logging.getLogger(__name__)


def compute_daro_advantage(
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: np.ndarray,
    weighting: Weighting,
    success_threshold: float = 0.5,
    final_row: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """``A_i = f (r_i - mean(r of its prompt))`` and the prompt's pass rate, on every response token.

    ``f`` is the weighting's :meth:`~daro_verl.advantage.Weighting.advantage_factor`; DARO's is 1: a factor that depends
    on the pass rate alone is what it learns (paper; at ``w = 1/L`` it cancels).

    Args:
        token_level_rewards: [num_responses, response_length]; a response's reward is the sum over its row.
        response_mask: [num_responses, response_length], 1 on response tokens. A row without any is padding: it counts
            in no prompt's statistics and gets zeros.
        index: [num_responses] the prompt's id (verl's uid), any order, uneven groups allowed.
        weighting: the job's.
        success_threshold: a response is a success if its reward is greater than this.
        final_row: see :func:`prompt_groups`.

    Returns:
        ``(advantages, returns)``, both [num_responses, response_length] in the dtype of the rewards: ``A_i``, and the
        pass rate (:mod:`~daro_verl.advantage.pass_rates`), on response tokens, 0 elsewhere. A prompt with one response
        has advantage 0.
    """
    groups = prompt_groups(token_level_rewards, response_mask, index, success_threshold, final_row)
    centred = groups.scores.double() - groups.mean_score[groups.prompt_of]
    advantage = weighting.advantage_factor(groups)[groups.prompt_of] * centred
    advantage = torch.where(groups.counted, advantage, 0.0).to(groups.scores.dtype)
    pass_rate = written_pass_rates(groups).to(groups.scores.dtype)
    # One copy of the mask in the dtype of the rewards, which then becomes the second result: memory is what this costs.
    mask = response_mask.to(groups.scores.dtype, copy=True)
    returns = pass_rate.unsqueeze(-1) * mask
    return mask.mul_(advantage.unsqueeze(-1)), returns


def prompt_groups(
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: np.ndarray,
    success_threshold: float,
    final_row: torch.Tensor | None = None,
) -> PromptGroups:
    """The batch's prompts; arguments as the estimator's.

    Args:
        final_row: [num_responses] int64, where a session has several outputs: the row that stands for the session
            (:func:`~daro_verl.advantage.groups.final_rows`). Its reward is the session's, and the session counts once
            in its prompt's pass rate, however many outputs it has.

    A reward that is not finite is logged, with the prompt's pass rate without it, and counts nowhere.
    """
    scores = token_level_rewards.detach().sum(dim=-1)
    has_tokens, once = response_mask.sum(dim=-1) > 0, None  # several times faster than any()
    if final_row is not None:
        final_row = final_row.to(scores.device)
        once = final_row == torch.arange(len(scores), device=scores.device)
        outputs_with_tokens = torch.zeros_like(scores).index_add_(0, final_row, has_tokens.to(scores.dtype))
        scores, has_tokens = scores[final_row], outputs_with_tokens[final_row] > 0
    groups = group_by_prompt(scores, has_tokens, index, success_threshold, once)
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
