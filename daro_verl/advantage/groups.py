"""Group responses by their prompt: mean reward and difficulty. A session with several outputs counts once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import pandas as pd
import torch

from daro_verl.advantage.reward_range import UNIT, RewardRange

SMALLEST = 1e-6
"""Least distance of a difficulty from 0 and 1 if rewards differ. It keeps such a prompt out of bins 0 and G."""


@dataclass(frozen=True)
class PromptGroups:
    """Statistics of the prompts of a batch. A prompt without a counted response has NaN statistics.

    Attributes:
        scores: [num_responses] outcome reward of each response. All outputs of a session have the reward of its last.
        counted: [num_responses] bool, whether the response's session counts in its prompt's statistics.
        lost: [num_responses] bool, whether a response with tokens does not count, because its reward is NaN or
            infinite.
        adds: [num_responses] bool, the one row of each counted session that stands for it in sums over responses.
        success: [num_responses] bool, whether the score is above the threshold, or above the middle of the range.
        in_units: [num_responses] float64, the scores in units of the range, ``(r - low) / (high - low)``.
        prompt_of: [num_responses] int64, the row of each response's prompt in the tensors below.
        num_responses: [num_prompts] float64, counted responses of the prompt. A session of several outputs is one.
        mean_score: [num_prompts] float64, mean reward of the prompt's counted responses.
        mean_in_units: [num_prompts] float64, the same mean in units of the range.
        pass_rate: [num_prompts] float64, the difficulty ``mu``. With a threshold it is successes / counted responses.
            Without one, it is the mean reward in units of the range. For rewards of two values both are the same.
        differs: [num_prompts] bool, whether its counted responses have different rewards.
    """

    scores: torch.Tensor
    counted: torch.Tensor
    lost: torch.Tensor
    adds: torch.Tensor
    success: torch.Tensor
    in_units: torch.Tensor
    prompt_of: torch.Tensor
    num_responses: torch.Tensor
    mean_score: torch.Tensor
    mean_in_units: torch.Tensor
    pass_rate: torch.Tensor
    differs: torch.Tensor

    def sum_by_prompt(self, values: torch.Tensor) -> torch.Tensor:
        """[num_prompts] float64, the sum of ``values`` [num_responses] over the counted responses of each prompt."""
        return _sum_by_prompt(values, self.adds, self.prompt_of, len(self.pass_rate))


def group_by_prompt(
    scores: torch.Tensor,
    has_tokens: torch.Tensor,
    index: np.ndarray,
    success_threshold: float | None = None,
    once: torch.Tensor | None = None,
    reward_range: RewardRange = UNIT,
) -> PromptGroups:
    """Group responses by ``index``, in any order and with any group size.

    Args:
        scores: [num_responses] outcome reward of each response. One that is not finite counts nowhere.
        has_tokens: [num_responses] bool; False for rows that are no response (padding).
        index: [num_responses] the prompt's id of each response, any hashable values of one type.
        success_threshold: a response is a success if its score is greater than this, and difficulty is the share of
            successes. If None, difficulty is the mean reward in units of the range.
        once: [num_responses] bool, one row of each session. The other rows share its score and do not count again.
            None if every row is a session.
        reward_range: ``[low, high]``.

    A prompt whose rewards are all the same has difficulty 0 or 1, and nothing can be learned from it. Any other prompt
    has a difficulty between them, unless a threshold decides otherwise. Sums are in float64, so they do not depend on
    the order of the responses.
    """
    finite = scores.isfinite()
    counted = has_tokens & finite
    adds = counted if once is None else counted & once
    codes, prompts = pd.factorize(np.asarray(index))  # linear in the responses; np.unique sorts strings
    prompt_of, num_prompts = torch.from_numpy(codes).long().to(scores.device), len(prompts)

    def per_prompt(values: torch.Tensor) -> torch.Tensor:
        return _sum_by_prompt(values, adds, prompt_of, num_prompts)

    num_responses, in_units = per_prompt(torch.ones_like(scores)), reward_range.in_units(scores)
    success = scores > (reward_range.middle if success_threshold is None else success_threshold)
    mean_in_units, pass_rate = per_prompt(in_units) / num_responses, per_prompt(success) / num_responses
    differs = _differs(scores, adds, prompt_of, num_prompts)
    if success_threshold is None:
        pass_rate = torch.where(differs, mean_in_units.clamp(SMALLEST, 1 - SMALLEST), pass_rate)
    return PromptGroups(
        scores=scores,
        counted=counted,
        lost=has_tokens & ~finite,
        adds=adds,
        success=success,
        in_units=in_units,
        prompt_of=prompt_of,
        num_responses=num_responses,
        mean_score=per_prompt(scores) / num_responses,
        mean_in_units=mean_in_units,
        pass_rate=pass_rate,
        differs=differs,
    )


def _differs(scores: torch.Tensor, adds: torch.Tensor, prompt_of: torch.Tensor, num_prompts: int) -> torch.Tensor:
    """[num_prompts] bool, whether a prompt's largest counted score is greater than its smallest."""
    low, high = (
        torch.full((num_prompts,), none, dtype=scores.dtype, device=scores.device).scatter_reduce_(
            0, prompt_of, torch.where(adds, scores, none), how
        )
        for none, how in ((torch.inf, "amin"), (-torch.inf, "amax"))
    )
    return high > low


def _sum_by_prompt(values: torch.Tensor, adds: torch.Tensor, prompt_of: torch.Tensor, num_prompts: int) -> torch.Tensor:
    values = torch.where(adds, values.double(), 0.0)
    return torch.zeros(num_prompts, dtype=torch.float64, device=values.device).index_add_(0, prompt_of, values)


def final_rows(batch_keys: Sequence[str]) -> torch.Tensor | None:
    """The row of each session's last output, for every output of an agent loop. That row stands for the session.

    Args:
        batch_keys: verl's key of each row, ``{uid}_{session}_{index of the output}``, in any order, without repeats.

    Returns:
        [num_rows] int64. A session with one output points at itself. None if every output is its session's first,
        because then each session has only one.

    Raises:
        ValueError: a key has another form.
    """
    if all(map(str.endswith, batch_keys, repeat("_0"))):  # the usual case, at a tenth of the loop's price
        return None
    last: dict[str, tuple[int, int]] = {}
    sessions = []
    for row, key in enumerate(batch_keys):
        session, _, output = key.rpartition("_")
        if not session or not output.isdigit():
            raise ValueError(f"key of an output: got {key!r}, expected <uid>_<session>_<index of the output>")
        sessions.append(session)
        last[session] = max(last.get(session, (-1, -1)), (int(output), row))
    return torch.tensor([last[session][1] for session in sessions], dtype=torch.int64)
