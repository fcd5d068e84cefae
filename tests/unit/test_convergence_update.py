"""The benchmark's optimizer steps against DARO's formula, written out bin by bin in float64."""

import pytest
import torch

from benchmarks.convergence.update import Update, per_bin
from daro_verl.workers.difficulty_weights import DifficultyWeights

G, LENGTH, CLIP_HIGH = 4, 6, 0.28
SUCCESSES = torch.tensor([0, 1, 1, 2, 3, 4])  # per prompt: bins 0 and G are there too


def batch(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, LENGTH + 1, (len(SUCCESSES), G, 1), generator=generator)
    rewards = (torch.arange(G) < SUCCESSES[:, None]).float()
    old, noise = torch.randn(2, len(SUCCESSES), G, LENGTH, generator=generator)
    mask = torch.arange(LENGTH) < lengths
    return {"rewards": rewards, "mask": mask, "old": old - 3, "now": old - 3 + 0.5 * noise}


def formula(rows: dict[str, torch.Tensor], weights: torch.Tensor, learned: bool) -> dict[str, torch.Tensor]:
    """``sum_k w_k L_k``; by default ``L_k`` counts by its bin's share of all tokens."""
    now, old, rewards = (rows[name].double() for name in ("now", "old", "rewards"))
    advantages = (rewards - rewards.mean(dim=1, keepdim=True)).unsqueeze(-1)
    ratio = (now.requires_grad_() - old).exp()
    token_loss = -torch.minimum(ratio * advantages, ratio.clamp(0.8, 1 + CLIP_HIGH) * advantages)
    in_bin = [rows["mask"] & (SUCCESSES == k)[:, None, None] for k in range(1, G)]
    losses = torch.stack([token_loss[where].mean() for where in in_bin])
    tokens = torch.stack([where.sum() for where in in_bin])
    factor = weights * tokens / rows["mask"].sum() if learned else weights
    (factor * losses).sum().backward()
    return {"losses": losses.detach(), "gradient": now.grad}


@pytest.mark.parametrize(("weighting", "size"), [("paper", 4 * G), ("learned", 4 * G), ("learned", 5)])
def test_steps_are_those_of_the_formula(weighting, size):
    """Gradient, ``L_k`` and weights of three steps.

    The model sees only the prompts that teach, at once or in micro-batches of 5; the formula has all of them.
    """
    options = {"weighting": weighting, "weight_lr": 0.5}
    update, weights = Update(options, G, 1, CLIP_HIGH), DifficultyWeights(G, options)
    for rows in map(batch, range(3)):
        want = formula(rows, weights.weights(), weighting == "learned")
        weights.step(want["losses"], torch.ones(G - 1))
        advantages, returns = (value.flatten(0, 1) for value in update.advantages(rows["rewards"], rows["mask"]))
        data = {"advantages": advantages, "returns": returns, "old_log_probs": rows["old"].flatten(0, 1)}
        data["response_mask"] = rows["mask"].flatten(0, 1).float()
        log_prob = rows["now"].detach().flatten(0, 1).requires_grad_()
        micro_batches = [(part, log_prob[part]) for part in torch.arange(G, 5 * G).split(size)]  # bins 0, G: left out
        metrics = update.step(data, micro_batches, lambda log_prob=log_prob: log_prob.grad.norm().item())
        close = {"rtol": 1e-5, "atol": 1e-7, "check_dtype": False}
        torch.testing.assert_close(log_prob.grad, want["gradient"].flatten(0, 1), **close)
        torch.testing.assert_close(torch.tensor(per_bin(metrics, "loss", G)), want["losses"], **close)
        torch.testing.assert_close(torch.tensor(per_bin(metrics, "weight", G)), weights.weights(), **close)
        assert metrics["clip_fraction"] > 0
