"""The weighted sum over bins: closed form, any split into micro-batches and ranks, gradients only where they belong."""

import pytest
import torch

from daro_verl.objective import advantage_scale, bin_of_pass_rate, differentiate, objective
from tests.unit.bins import daro_scale, micro_batch, mini_batch_of, token_mean, tokens_of

LINEAR = token_mean(lambda log_prob, advantages: advantages * log_prob)
"""Token loss = advantage x log-probability: with advantage 1 the log-probabilities are the token losses."""


def loss_of(mini_batch, losses, mask, bins, dp_size=1):
    data = micro_batch(torch.ones(losses.shape), mask, bins, dp_size)
    return mini_batch.loss(LINEAR, {"log_probs": losses}, data)[0]


def test_closed_form_with_two_bins():
    # bin 1: responses of 2 and 1 tokens, losses 1, 3 | 5 -> T = 3, L = 9 / 3 = 3
    # bin 3: one response of 2 tokens, losses 2, 4     -> T = 2, L = 6 / 2 = 3; bin 0: ignored
    losses = torch.tensor([[1.0, 3.0], [5.0, 99.0], [2.0, 4.0], [7.0, 7.0]], requires_grad=True)
    mask = torch.tensor([[1, 1], [1, 0], [1, 1], [1, 1]])
    bins = torch.tensor([1, 1, 3, 0])
    tokens = tokens_of(bins, mask, num_rollouts=4)
    assert tokens.tolist() == [2, 3, 0, 2, 0]
    weights = torch.tensor([10.0, 1.0, 0.5], dtype=torch.float64)
    mini_batch = mini_batch_of(daro_scale(weights, tokens))
    total = loss_of(mini_batch, losses, mask, bins)
    assert total.item() == pytest.approx(10 * 3 + 0.5 * 3)
    per_bin = mini_batch.sums / tokens.clamp(min=1)
    assert per_bin[1:-1].tolist() == pytest.approx([3, 0, 3])
    # sum over bins 1 and 3 of w L - ln w = 30 - ln 10 + 1.5 - ln 0.5
    expected = 31.5 - torch.tensor([10.0, 0.5]).log().sum().item()
    assert objective(weights * per_bin[1:-1], weights, torch.ones(3), tokens[1:-1] > 0) == pytest.approx(expected)


def test_the_scale_is_the_weight_over_the_denominator():
    # G = 2: w / D = 3 / 5; bins 0 and G do not count
    inf = float("inf")
    scale = advantage_scale(torch.tensor([3.0]), torch.tensor([inf, 5.0, inf]))
    assert scale.tolist() == pytest.approx([0, 0.6, 0])


def random_batch(seed: int, num_responses: int = 40, length: int = 12, num_rollouts: int = 8):
    generator = torch.Generator().manual_seed(seed)
    losses = torch.randn(num_responses, length, generator=generator)
    mask = torch.arange(length) < torch.randint(0, length + 1, (num_responses, 1), generator=generator)
    bins = torch.randint(0, num_rollouts + 1, (num_responses,), generator=generator)
    weights = torch.rand(num_rollouts - 1, generator=generator, dtype=torch.float64) * 5
    return losses, mask, bins, weights


def formula(losses, mask, bins, weights):
    """sum_k w_k / T_k * sum of the losses of bin k, written out."""
    total = torch.zeros((), dtype=torch.float64)
    for k in range(1, len(weights) + 1):
        rows = bins == k
        if mask[rows].any():
            total = total + weights[k - 1] * losses[rows][mask[rows]].double().mean()
    return total


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sizes", [[40], [1, 39], [7, 13, 20], [8] * 5, [1] * 40], ids=str)
def test_any_split_gives_the_formula_and_its_gradient(seed, sizes):
    losses, mask, bins, weights = random_batch(seed)
    a, b = losses.clone().requires_grad_(), losses.clone().requires_grad_()
    expected = formula(a, mask, bins, weights)
    expected.backward()
    mini_batch = mini_batch_of(daro_scale(weights, tokens_of(bins, mask, 8)))
    parts = [
        loss_of(mini_batch, x, m, k)
        for x, m, k in zip(b.split(sizes), mask.split(sizes), bins.split(sizes), strict=True)
    ]
    torch.stack(parts).sum().backward()
    assert sum(p.item() for p in parts) == pytest.approx(expected.item(), rel=1e-5, abs=1e-6)
    torch.testing.assert_close(b.grad, a.grad, rtol=1e-6, atol=1e-9)
    tokens = tokens_of(bins, mask, 8)[1:-1]
    per_bin = torch.stack([losses[bins == k][mask[bins == k]].double().sum() for k in range(1, 8)])
    torch.testing.assert_close(
        mini_batch.sums[1:-1] / tokens.clamp(min=1), per_bin / tokens.clamp(min=1), rtol=1e-6, atol=1e-7
    )


def test_ranks_average_to_the_formula():
    """Two ranks with different responses, each scaled by dp_size: the mean over ranks is the whole."""
    losses, mask, bins, weights = random_batch(9)
    losses.requires_grad_()
    scale = daro_scale(weights, tokens_of(bins, mask, 8))
    ranks = [mini_batch_of(scale) for _ in range(2)]
    parts = [loss_of(ranks[r], losses[r::2], mask[r::2], bins[r::2], dp_size=2) for r in range(2)]
    assert (sum(parts) / 2).item() == pytest.approx(formula(losses, mask, bins, weights).item(), rel=1e-5)
    alone = mini_batch_of(scale)
    loss_of(alone, losses, mask, bins)  # the sums add up over ranks without any factor
    torch.testing.assert_close(ranks[0].sums + ranks[1].sums, alone.sums, rtol=1e-6, atol=1e-6)


def test_gradient_reaches_only_tokens_of_bins_that_teach():
    losses = torch.ones(4, 2, requires_grad=True)
    mask, bins = torch.tensor([[1, 1], [1, 0], [1, 1], [1, 1]]), torch.tensor([0, 1, 2, 2])  # G = 2
    scale = daro_scale(torch.ones(1), tokens_of(bins, mask, 2))
    loss_of(mini_batch_of(scale), losses, mask, bins).backward()
    assert losses.grad.tolist() == [[0, 0], [1, 0], [0, 0], [0, 0]]


def test_the_engines_factor_on_the_loss_reaches_the_model_and_not_the_bins():
    """Engines multiply the loss (micro-batches, loss scaling of float16) before the backward pass."""
    losses, mask, bins, weights = random_batch(3)
    own, scale = losses.requires_grad_(), daro_scale(weights, tokens_of(bins, mask, 8))
    plain, scaled = mini_batch_of(scale), mini_batch_of(scale)
    (gradient,) = torch.autograd.grad(loss_of(plain, own, mask, bins), own)
    (times_8,) = torch.autograd.grad(8 * loss_of(scaled, own, mask, bins), own)
    assert torch.equal(times_8, 8 * gradient) and torch.equal(plain.sums, scaled.sums)


def test_masked_tokens_may_be_nan():
    losses = torch.tensor([[1.0, float("nan")]], requires_grad=True)
    mask, bins = torch.tensor([[1, 0]]), torch.tensor([1])
    mini_batch = mini_batch_of(daro_scale(torch.ones(1), tokens_of(bins, mask, 2)))
    assert loss_of(mini_batch, losses, mask, bins).item() == 1


def test_a_mini_batch_that_teaches_nothing_has_loss_zero():
    mask, bins = torch.ones(3, 2), torch.tensor([0, 8, 0])
    mini_batch = mini_batch_of(daro_scale(torch.ones(7), tokens_of(bins, mask, 8)))
    assert loss_of(mini_batch, torch.randn(3, 2, requires_grad=True), mask, bins).item() == 0


@pytest.mark.parametrize("num_rollouts", [2, 3, 8, 64])
def test_every_pass_rate_of_a_full_group_has_its_bin(num_rollouts):
    rates = torch.arange(num_rollouts + 1) / num_rollouts  # float32, as `returns` carries it
    assert bin_of_pass_rate(rates, num_rollouts).tolist() == list(range(num_rollouts + 1))


def test_a_rate_strictly_inside_never_rounds_to_the_ends():
    # 1/20 * 8 = 0.4 rounds to 0, 19/20 * 8 = 7.6 to 8: both prompts do teach something
    assert bin_of_pass_rate(torch.tensor([1 / 20, 19 / 20]), 8).tolist() == [1, 7]
    # 2 of 3 responses of a group that lost five: 5.33 -> 5
    assert bin_of_pass_rate(torch.tensor([2 / 3]), 8).tolist() == [5]


def test_outputs_and_advantages_that_the_loss_does_not_use_get_no_gradient():
    scale, used, unused = (torch.ones(3, requires_grad=True) for _ in range(3))
    own = [torch.ones(3, requires_grad=True) for _ in range(2)]
    by_bin, attach = differentiate((used * 2).sum(), scale, [used, unused])
    attach(own).backward()
    assert by_bin.tolist() == [0, 0, 0]
    assert own[0].grad.tolist() == [2, 2, 2] and own[1].grad is None
