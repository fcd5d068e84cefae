"""Several optimizer steps on one batch, with every number written out: off-policy ratios enter ``L_k``."""

import pytest
import torch
from verl.trainer.ppo.core_algos import compute_policy_loss_vanilla
from verl.workers.config import McoreActorConfig, PolicyLossConfig

from daro_verl.workers.difficulty_weights import DifficultyWeights
from tests.unit.bins import micro_batch, mini_batch_of, tokens_of

G = 2
# One prompt, G = 2: one response right (A = 1 - 1/2), one wrong (A = 0 - 1/2), one token each. mu = 1/2, T_1 = 2.
ADVANTAGES, MASK, BINS = torch.tensor([[0.5], [-0.5]]), torch.ones(2, 1), torch.tensor([1, 1])


def update(weights: DifficultyWeights, ratios: list[float]) -> tuple[float, torch.Tensor]:
    """One optimizer step's part of DARO: loss and ``L_1`` through verl's vanilla loss, then the weight's update."""
    log_prob = torch.tensor(ratios).log().unsqueeze(-1).requires_grad_()
    tokens = tokens_of(BINS, MASK, G)
    mini_batch = mini_batch_of(weights.scale(tokens))
    config = McoreActorConfig(rollout_n=G, ppo_micro_batch_size_per_gpu=1, policy_loss=PolicyLossConfig())
    config.global_batch_info.update(dp_size=1, batch_num_tokens=2, global_batch_size=2)

    def vanilla(model_output, data, dp_group=None):
        own = model_output["log_probs"], data["advantages"], data["response_mask"]
        return compute_policy_loss_vanilla(torch.zeros(2, 1), *own, config=config)

    data = micro_batch(ADVANTAGES, MASK, BINS) | {"batch_num_tokens": 2}
    loss, _ = mini_batch.loss(vanilla, {"log_probs": log_prob}, data)
    losses = mini_batch.sums[1:-1] / tokens[1:-1]
    weights.step(losses, tokens[1:-1] > 0)
    return loss.item(), losses


def test_two_steps_on_one_batch():
    weights = DifficultyWeights(G, {"weighting": "paper", "weight_lr": 0.1})

    # Step 1, on policy (both ratios 1): token losses -0.5 and 0.5, L = 0. d/ds = w L - 1 = -1, and Adam's first step is
    # its rate: s = 0.1, w = e^0.1 = 1.105171.
    loss, losses = update(weights, [1.0, 1.0])
    assert (loss, losses.item()) == pytest.approx((0.0, 0.0), abs=1e-7)
    assert weights.weights().item() == pytest.approx(1.105171, abs=1e-6)

    # Step 2, the same batch after the model moved: ratios 1.1 and 1.3.
    # right: max(-1.1 * 0.5, -1.1 * 0.5) = -0.55;   wrong: max(1.3 * 0.5, clip 1.2 * 0.5) = 0.65.
    # L = (-0.55 + 0.65) / 2 = 0.05, loss = 1.105171 * 0.05 = 0.0552585, d/ds = 0.0552585 - 1 = -0.9447415.
    # Adam: m = (0.9 * 0.1 * -1 + 0.1 * -0.9447415) / (1 - 0.9^2)                = -0.18447415 / 0.19       = -0.9709166
    #       v = (0.999 * 0.001 + 0.001 * 0.9447415^2) / (1 - 0.999^2)            = 0.0018915365 / 0.001999  =  0.9462414
    # s = 0.1 + 0.1 * 0.9709166 / sqrt(0.9462414) = 0.1 + 0.0998116 = 0.1998116, w = 1.221172.
    loss, losses = update(weights, [1.1, 1.3])
    assert losses.item() == pytest.approx(0.05, abs=1e-7)
    assert loss == pytest.approx(0.0552585, abs=1e-7)
    assert weights.weights().item() == pytest.approx(1.221172, abs=1e-6)
    assert weights.version == 2
