"""DARO on one process, straight from the formula, on the Hugging Face model: nothing of verl, Megatron or daro-verl.

L_k = (1 / T_k) sum of token losses of bin k,    loss = sum_k w_k L_k,    s_k = ln w_k by Adam on w_k L_k - ln w_k

That is ``weighting=paper``. By default ``weighting=learned``: loss = sum_k (T_k / all tokens) w_k L_k, and ``w_k``
starts at ``mu^-1/2``, goes to ``nu / L_k`` with ``nu = sqrt(mu) (1 - mu)`` and the bias-corrected moving average of
``L_k``, and stays within a factor of 3 of its start.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from transformers import AutoModelForCausalLM

from tests.ranks.batch import NUM_ROLLOUTS, PROMPT_LENGTH

CLIP, DUAL_CLIP = 0.2, 3.0  # verl's defaults
LEARNING_RATE, ADAM_EPS = 1e-3, 1e-2
"""Of the model. Adam divides by ``sqrt(v) + eps``: a large eps keeps it from magnifying rounding where v is tiny."""


@dataclass
class Step:
    """One mini-batch: tensors over bins have G - 1 entries."""

    loss: float
    losses: torch.Tensor
    tokens: torch.Tensor
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


def token_losses(model, rows: dict[str, torch.Tensor], i: int, token_loss: Callable) -> torch.Tensor:
    """The losses of response ``i`` on its tokens that train; one response at a time, so no padding at all."""
    n = int(rows["lengths"][i])
    ids, mask = rows["input_ids"][i, : PROMPT_LENGTH + n], rows["response_mask"][i, :n].bool()
    logits = model(ids[None]).logits[0, PROMPT_LENGTH - 1 : -1]
    log_prob = logits.log_softmax(-1).gather(-1, ids[PROMPT_LENGTH:, None])[:, 0]
    ratio = (log_prob - rows["old_log_probs"][i, :n]).exp()[mask]
    losses = token_loss(ratio, rows["advantages"][i, :n][mask])
    return losses * rows["rollout_is_weights"][i, :n][mask] if "rollout_is_weights" in rows else losses


def bin_losses(model, rows: dict[str, torch.Tensor], token_loss: Callable) -> tuple[list, list[int]]:
    """``L_k`` (with gradient; None for an absent bin) and ``T_k``, for k = 1 .. G-1."""
    sums: list = [0.0] * (NUM_ROLLOUTS + 1)
    tokens = [0] * (NUM_ROLLOUTS + 1)
    for i in range(len(rows["lengths"])):
        k = round(rows["returns"][i].abs().max().item() * NUM_ROLLOUTS)
        sums[k] = sums[k] + token_losses(model, rows, i, token_loss).sum()
        tokens[k] += int(rows["response_mask"][i].sum())
    return [s / t if t else None for s, t in zip(sums[1:-1], tokens[1:-1], strict=True)], tokens[1:-1]


def load_model(model_path: str) -> torch.nn.Module:
    return AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32)


class Weights:
    """``w_k`` of bins 1 .. G-1, all present in every mini-batch here."""

    def __init__(self, weighting: str, weight_lr: float) -> None:
        self.is_literal = weighting == "paper"
        mu = torch.arange(1, NUM_ROLLOUTS).double() / NUM_ROLLOUTS
        self.start = torch.ones_like(mu) if self.is_literal else 1 / mu.sqrt()
        self.nu = torch.ones_like(mu) if self.is_literal else mu.sqrt() * (1 - mu)
        self.log_w = [start.log().requires_grad_() for start in self.start]
        self.adam = torch.optim.Adam(self.log_w, lr=weight_lr)
        self.average, self.num_steps = torch.zeros(NUM_ROLLOUTS - 1, dtype=torch.float64), 0

    def now(self) -> torch.Tensor:
        return torch.stack(self.log_w).detach().exp()

    def factors(self, tokens: list[int], all_tokens: int) -> torch.Tensor:
        """What ``L_k`` is multiplied by."""
        w = self.now()
        return w if self.is_literal else w * torch.tensor(tokens) / all_tokens

    def step(self, losses: torch.Tensor) -> None:
        self.num_steps += 1
        if not self.is_literal:
            self.average = 0.9 * self.average + 0.1 * losses
            losses = self.average / (1 - 0.9**self.num_steps)
        self.adam.zero_grad()
        sum(s.exp() * loss / nu - s for s, loss, nu in zip(self.log_w, losses, self.nu, strict=True)).backward()
        self.adam.step()
        low, high = (0.01, 100.0) if self.is_literal else (1 / 3, 3.0)
        for parameter, start in zip(self.log_w, self.start, strict=True):
            parameter.data.clamp_(math.log(low * start), math.log(high * start))


def train(
    model: torch.nn.Module,
    batches: list[dict],
    token_loss: Callable = vanilla,
    weighting: str = "paper",
    weight_lr: float = 0.5,
) -> list[Step]:
    """Train model and weights, one step for each mini-batch; every bin must be present."""
    weights = Weights(weighting, weight_lr)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(trained.values(), lr=LEARNING_RATE, eps=ADAM_EPS, weight_decay=0.0)
    steps = []
    for rows in batches:
        model.zero_grad()
        losses, tokens = bin_losses(model, rows, token_loss)
        factors = weights.factors(tokens, int(rows["response_mask"].sum()))
        total = sum(factor.float() * loss for factor, loss in zip(factors, losses, strict=True))
        total.backward()
        weights.step(torch.stack(losses).detach().double())
        steps.append(
            Step(
                loss=total.item(),
                losses=torch.stack(losses).detach(),
                tokens=torch.tensor(tokens),
                weights_after=weights.now(),
                gradient={name: p.grad.clone() for name, p in trained.items()},
            )
        )
        optimizer.step()
    return steps


def grpo_gradients(model: torch.nn.Module, batches: list[dict]) -> list[dict[str, torch.Tensor]]:
    """The same with DARO off: the mean of the token losses over all tokens that train."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, eps=ADAM_EPS, weight_decay=0.0)
    gradients = []
    for rows in batches:
        model.zero_grad()
        losses = torch.cat([token_losses(model, rows, i, vanilla) for i in range(len(rows["lengths"]))])
        (losses.sum() / rows["response_mask"].sum()).backward()
        gradients.append({name: p.grad.clone() for name, p in model.named_parameters()})
        optimizer.step()
    return gradients
