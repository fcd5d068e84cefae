"""A mini-batch that is hard on purpose: uneven lengths, several prompts per bin, off-policy, prompts scattered."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from tensordict import NonTensorData, TensorDict
from verl.utils import tensordict_utils as tu

from daro_verl.advantage import compute_daro_advantage, find_weighting

NUM_ROLLOUTS = 4
SUCCESSES = (0, 1, 1, 2, 2, 3, 3, 4, 1, 2)  # per prompt: bins 0 and G are there too
PROMPT_LENGTH = 5
DARO = partial(compute_daro_advantage, weighting=find_weighting("learned"))


def make_rows(seed: int, num_mini_batches: int = 3, rejection: bool = False) -> list[dict[str, torch.Tensor]]:
    """Mini-batches of 40 responses (10 prompts x 4) in an order that scatters every prompt, padded tensors."""
    generators = [torch.Generator().manual_seed(seed + i) for i in range(num_mini_batches)]
    return [make_mini_batch(generator, rejection=rejection) for generator in generators]


def make_mini_batch(
    generator: torch.Generator,
    repeat: int = 1,
    longest: int = 13,
    rejection: bool = False,
    estimate: Callable[..., tuple[torch.Tensor, torch.Tensor]] = DARO,
) -> dict[str, torch.Tensor]:
    """``10 * repeat`` prompts; right responses have 2 to ``longest`` tokens, wrong ones 4 more.

    With ``rejection``, what verl's rollout correction leaves behind: a fifth of the tokens and all of one response are
    gone from ``response_mask`` (before the advantages), and the others have truncated importance weights. ``estimate``
    computes advantages and returns from rewards, mask and prompts; the rest of the batch does not depend on it.
    """
    num_responses = len(SUCCESSES) * repeat * NUM_ROLLOUTS
    rewards = torch.tensor([float(i < n) for n in SUCCESSES * repeat for i in range(NUM_ROLLOUTS)])
    lengths = torch.randint(2, longest + 1, (num_responses,), generator=generator) + 4 * (rewards == 0).long()
    width = int(lengths.max())
    mask = (torch.arange(width) < lengths[:, None]).long()
    if rejection:
        mask *= torch.rand(mask.shape, generator=generator) > 0.2
        mask[5] = 0
    index = np.repeat(np.arange(len(SUCCESSES) * repeat), NUM_ROLLOUTS)
    scores = torch.zeros(num_responses, width).scatter_(1, lengths[:, None] - 1, rewards[:, None])
    advantages, returns = estimate(scores, mask, index)
    rows = {
        "input_ids": torch.randint(0, 200, (num_responses, PROMPT_LENGTH + width), generator=generator),
        "lengths": lengths,
        "response_mask": mask,
        "advantages": advantages,
        "returns": returns,
        "old_log_probs": -5.5 + 0.3 * torch.randn(num_responses, width, generator=generator),
    }
    if rejection:
        rows["rollout_is_weights"] = (0.5 + 2 * torch.rand(mask.shape, generator=generator)).clamp(max=2.0)
    order = torch.randperm(num_responses, generator=generator)
    return {name: value[order] for name, value in rows.items()}


def as_verl_batch(rows: dict[str, torch.Tensor]) -> TensorDict:
    """The nested layout in which verl's trainer sends a batch to its workers."""
    lengths = rows["lengths"].tolist()
    ids = [row[: PROMPT_LENGTH + n] for row, n in zip(rows["input_ids"], lengths, strict=True)]

    def nested(parts: list[torch.Tensor]) -> torch.Tensor:
        return torch.nested.as_nested_tensor(parts, layout=torch.jagged)

    def responses(name: str) -> torch.Tensor:
        return nested([row[:n] for row, n in zip(rows[name], lengths, strict=True)])

    data = TensorDict(
        {
            "input_ids": nested(ids),
            "position_ids": nested([torch.arange(len(row)) for row in ids]),
            "loss_mask": nested([torch.cat([torch.zeros(PROMPT_LENGTH), torch.ones(n)]).long() for n in lengths]),
            "prompts": nested([row[:PROMPT_LENGTH] for row in ids]),
            "responses": nested([row[PROMPT_LENGTH:] for row in ids]),
            **{name: responses(name) for name in rows if name not in ("input_ids", "lengths")},
        },
        batch_size=len(ids),
    )
    num_tokens = NonTensorData([len(row) for row in ids])
    tu.assign_non_tensor(
        data, temperature=1.0, calculate_entropy=False, global_batch_size=len(ids), global_token_num=num_tokens
    )
    return data
