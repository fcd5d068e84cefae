"""Batches of any size, made from a seed, for the estimator on the driver and for the loss on a rank."""

import uuid

import numpy as np
import torch
from tensordict import TensorDict
from verl.utils import tensordict_utils as tu

from daro_verl.advantage import compute_daro_advantage, find_weighting

PROMPT_LENGTH = 4
"""Tokens; the loss never sees them."""


def outcome_batch(num_responses: int, length: int, num_rollouts: int, device: str = "cpu") -> dict:
    """What verl hands to an advantage estimator, float32 rewards and int64 mask [num_responses, length].

    Lengths are uniform in 1 .. ``length``, each prompt has its own chance of success, and rows come in the order in
    which a trainer leaves them that balances sequence lengths over ranks: any. Every row has its own uid object, as
    after a transfer between processes.
    """
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, length + 1, (num_responses,), generator=generator)
    lengths[0] = length
    mask = (torch.arange(length) < lengths[:, None]).long()
    prompt = torch.randperm(num_responses, generator=generator) // num_rollouts
    chance = torch.rand(num_responses // num_rollouts + 1, generator=generator)
    success = (torch.rand(num_responses, generator=generator) < chance[prompt]).float()
    rewards = torch.zeros(num_responses, length).scatter_(1, lengths[:, None] - 1, success[:, None])
    random = np.random.default_rng(0)
    uids = [uuid.UUID(bytes=random.bytes(16)) for _ in range(len(chance))]
    index = np.array([str(uids[p]) for p in prompt.tolist()], dtype=object)
    return {"token_level_rewards": rewards.to(device), "response_mask": mask.to(device), "index": index}


def loss_batch(
    num_responses: int,
    length: int,
    num_rollouts: int,
    nested: bool = True,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> tuple[TensorDict, torch.Tensor]:
    """A micro-batch as verl's ``ppo_loss`` takes it, and the model's log-probabilities of all tokens.

    Nested, or padded to [num_responses, length]; the log-probabilities are nested in both, as engines give them.
    """
    outcome = outcome_batch(num_responses, length, num_rollouts)
    mask, lengths = outcome["response_mask"], outcome["response_mask"].sum(-1).tolist()
    advantages, returns = compute_daro_advantage(**outcome, weighting=find_weighting("learned"))
    noise = torch.Generator().manual_seed(1)
    columns = {
        "prompts": torch.zeros(num_responses, PROMPT_LENGTH, dtype=torch.long),
        "responses": torch.zeros_like(mask),
        "response_mask": mask,
        "advantages": advantages,
        "returns": returns,
        "old_log_probs": 0.3 * torch.randn(mask.shape, generator=noise) - 1,
    }
    if nested:
        columns = {name: _nested(value, lengths, name == "prompts") for name, value in columns.items()}
    else:
        columns["attention_mask"] = torch.cat([torch.ones_like(columns["prompts"]), mask], dim=1)
    data = TensorDict(columns, batch_size=num_responses, device=device)
    tu.assign_non_tensor(data, dp_size=1, batch_num_tokens=sum(lengths), global_batch_size=num_responses)
    parts = [0.3 * torch.randn(PROMPT_LENGTH + n, generator=noise) - 1 for n in lengths]
    return data, torch.nested.as_nested_tensor(parts, layout=torch.jagged, dtype=dtype, device=device)


def _nested(rows: torch.Tensor, lengths: list[int], whole: bool) -> torch.Tensor:
    parts = list(rows) if whole else [row[:n] for row, n in zip(rows, lengths, strict=True)]
    return torch.nested.as_nested_tensor(parts, layout=torch.jagged)
