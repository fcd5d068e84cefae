"""Responses grouped by their prompt: mean reward and pass rate. Sessions with several outputs count once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import pandas as pd
import torch


@dataclass(frozen=True)
class PromptGroups:
    """Statistics of the prompts of a batch. A prompt without a counted response has NaN statistics.

    Attributes:
        scores: [num_responses] outcome reward of each response; all outputs of a session have that of its last one.
        counted: [num_responses] bool, whether the response's session counts in its prompt's statistics.
        lost: [num_responses] bool, those with tokens that do not count because their reward is NaN or infinite.
        adds: [num_responses] bool, the one row of each counted session that stands for it in sums over responses.
        success: [num_responses] bool, whether the score is above the threshold.
        prompt_of: [num_responses] int64, the row of each response's prompt in the tensors below.
        num_responses: [num_prompts] float64, counted responses of the prompt; a session of several outputs is one.
        mean_score: [num_prompts] float64, mean reward of the prompt's counted responses.
        pass_rate: [num_prompts] float64, ``mu`` = successes / counted responses.
    """

    scores: torch.Tensor
    counted: torch.Tensor
    lost: torch.Tensor
    adds: torch.Tensor
    success: torch.Tensor
    prompt_of: torch.Tensor
    num_responses: torch.Tensor
    mean_score: torch.Tensor
    pass_rate: torch.Tensor

    def sum_by_prompt(self, values: torch.Tensor) -> torch.Tensor:
        """[num_prompts] float64, the sum of ``values`` [num_responses] over the counted responses of each prompt."""
        return _sum_by_prompt(values, self.adds, self.prompt_of, len(self.pass_rate))


def group_by_prompt(
    scores: torch.Tensor,
    has_tokens: torch.Tensor,
    index: np.ndarray,
    success_threshold: float,
    once: torch.Tensor | None = None,
) -> PromptGroups:
    """Group responses by ``index`` in any order and of any group size.

    Args:
        scores: [num_responses] outcome reward of each response. One that is not finite counts nowhere.
        has_tokens: [num_responses] bool; False for rows that are no response (padding).
        index: [num_responses] the prompt's id of each response, any hashable values of one type.
        success_threshold: a response is a success if its score is greater than this.
        once: [num_responses] bool, one row of each session (the others share its score and count nothing more); None
            where every row is a session.

    Sums are taken in float64, so that they do not depend on the order of the responses.
    """
    finite = scores.isfinite()
    counted = has_tokens & finite
    adds = counted if once is None else counted & once
    codes, prompts = pd.factorize(np.asarray(index))  # linear in the responses; np.unique sorts strings
    prompt_of, num_prompts = torch.from_numpy(codes).long().to(scores.device), len(prompts)

    def per_prompt(values: torch.Tensor) -> torch.Tensor:
        return _sum_by_prompt(values, adds, prompt_of, num_prompts)

    num_responses, success = per_prompt(torch.ones_like(scores)), scores > success_threshold
    return PromptGroups(
        scores=scores,
        counted=counted,
        lost=has_tokens & ~finite,
        adds=adds,
        success=success,
        prompt_of=prompt_of,
        num_responses=num_responses,
        mean_score=per_prompt(scores) / num_responses,
        pass_rate=per_prompt(success) / num_responses,
    )


def _sum_by_prompt(values: torch.Tensor, adds: torch.Tensor, prompt_of: torch.Tensor, num_prompts: int) -> torch.Tensor:
    values = torch.where(adds, values.double(), 0.0)
    return torch.zeros(num_prompts, dtype=torch.float64, device=values.device).index_add_(0, prompt_of, values)


def final_rows(batch_keys: Sequence[str]) -> torch.Tensor | None:
    """For every output of a multi-output agent loop, the row of its session's last one, which stands for the session.

    Args:
        batch_keys: verl's key of each row, ``{uid}_{session}_{index of the output}``; any order, no key twice.

    Returns:
        [num_rows] int64; a session with one output points at itself. None where every output is its session's first:
        then each session has just that one.

    Raises:
        ValueError: a key of another form.
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
