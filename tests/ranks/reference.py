"""DARO on one process, straight from the formula, on the Hugging Face model: nothing of verl, Megatron or daro-verl.

L_k = (1 / T_k) sum of token losses of bin k,    loss = sum_k w_k L_k,    s_k = ln w_k by Adam on w_k L_k - ln w_k
"""

from dataclasses import dataclass

import torch
from transformers import AutoModelForCausalLM

from tests.ranks.batch import NUM_ROLLOUTS, PROMPT_LENGTH

CLIP, DUAL_CLIP = 0.2, 3.0  # verl's defaults


@dataclass
class Step:
    """One mini-batch: tensors over bins have G - 1 entries; ``losses`` is NaN where a bin is absent."""

    loss: float
    losses: torch.Tensor
    weights_after: torch.Tensor
    gradient: dict[str, torch.Tensor]


def vanilla(ratio: torch.Tensor, advantage: torch.Tensor) -> torch.Tensor:
    clipped = torch.maximum(-ratio * advantage, -ratio.clamp(1 - CLIP, 1 + CLIP) * advantage)
    return torch.where(advantage < 0, torch.minimum(clipped, -DUAL_CLIP * advantage), clipped)


def gspo(ratio: torch.Tensor, advantage: torch.Tensor) -> torch.Tensor:
    """Sequence ratio ``exp(mean log ratio)`` as the value, the token's own ratio as the direction."""
    log_ratio = ratio.log()
    ratio = (log_ratio - log_ratio.detach() + log_ratio.mean().detach()).exp()
    return torch.maximum(-ratio * advantage, -ratio.clamp(1 - CLIP, 1 + CLIP) * advantage)


def bin_losses(model, rows: dict[str, torch.Tensor], token_loss) -> list[torch.Tensor | None]:
    """``L_k`` for k = 1 .. G-1, with gradient; None for an absent bin. One response at a time: no padding at all."""
    sums: list = [0.0] * (NUM_ROLLOUTS + 1)
    tokens = [0] * (NUM_ROLLOUTS + 1)
    for i, mask in enumerate(rows["response_mask"]):
        n = int(mask.sum())
        k = round(rows["returns"][i, 0].item() * NUM_ROLLOUTS)
        ids = rows["input_ids"][i, : PROMPT_LENGTH + n]
        logits = model(ids[None]).logits[0, PROMPT_LENGTH - 1 : -1]
        log_prob = logits.log_softmax(-1).gather(-1, ids[PROMPT_LENGTH:, None])[:, 0]
        ratio = (log_prob - rows["old_log_probs"][i, :n]).exp()
        sums[k] = sums[k] + token_loss(ratio, rows["advantages"][i, :n]).sum()
        tokens[k] += n
    return [s / t if t else None for s, t in zip(sums[1:-1], tokens[1:-1], strict=True)]


def train(model_path: str, batches: list[dict], token_loss=vanilla, weight_lr: float = 0.05) -> list[Step]:
    """The steps with a frozen model (learning rate 0), so that only the weights move."""
    model = AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32)
    log_w = [torch.zeros((), dtype=torch.float64, requires_grad=True) for _ in range(NUM_ROLLOUTS - 1)]
    adam = torch.optim.Adam(log_w, lr=weight_lr)
    steps = []
    for rows in batches:
        model.zero_grad()
        losses = bin_losses(model, rows, token_loss)
        present = [k for k, loss in enumerate(losses) if loss is not None]
        total = sum(log_w[k].detach().exp().float() * losses[k] for k in present)
        total.backward()
        adam.zero_grad()
        sum(log_w[k].exp() * losses[k].detach() - log_w[k] for k in present).backward()
        adam.step()
        steps.append(
            Step(
                loss=total.item(),
                losses=torch.tensor([float("nan") if loss is None else loss.item() for loss in losses]),
                weights_after=torch.stack(log_w).detach().exp(),
                gradient={name: p.grad.clone() for name, p in model.named_parameters()},
            )
        )
    return steps
