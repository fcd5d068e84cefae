"""The weighted sum over bins: closed form, any split into micro-batches and ranks, gradients only where they belong."""

import pytest
import torch

from daro_verl.workers.bin_loss import BinLoss
from tests.unit.bins import daro_scale, tokens_of


def test_closed_form_with_two_bins():
    # bin 1: responses of 2 and 1 tokens, losses 1, 3 | 5 -> T = 3, L = 9 / 3 = 3
    # bin 3: one response of 2 tokens, losses 2, 4     -> T = 2, L = 6 / 2 = 3; bin 0: ignored
    losses = torch.tensor([[1.0, 3.0], [5.0, 99.0], [2.0, 4.0], [7.0, 7.0]])
    mask = torch.tensor([[1, 1], [1, 0], [1, 1], [1, 1]])
    bins = torch.tensor([1, 1, 3, 0])
    tokens = tokens_of(bins, mask, num_rollouts=4)
    assert tokens.tolist() == [2, 3, 0, 2, 0]
    bin_loss = BinLoss(daro_scale(torch.tensor([10.0, 1.0, 0.5]), tokens))
    total = bin_loss(losses, mask, bins, dp_size=1)
    assert total.item() == pytest.approx(10 * 3 + 0.5 * 3)
    assert (bin_loss.sums / tokens.clamp(min=1)).tolist() == pytest.approx([7, 3, 0, 3, 0])


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
    bin_loss = BinLoss(daro_scale(weights, tokens_of(bins, mask, 8)))
    parts = [
        bin_loss(x, m, k, dp_size=1)
        for x, m, k in zip(b.split(sizes), mask.split(sizes), bins.split(sizes), strict=True)
    ]
    torch.stack(parts).sum().backward()
    assert sum(p.item() for p in parts) == pytest.approx(expected.item(), rel=1e-5, abs=1e-6)
    torch.testing.assert_close(b.grad, a.grad, rtol=1e-6, atol=1e-9)


def test_ranks_average_to_the_formula():
    """Two ranks with different responses, each scaled by dp_size: the mean over ranks is the whole."""
    losses, mask, bins, weights = random_batch(9)
    scale = daro_scale(weights, tokens_of(bins, mask, 8))
    parts = [BinLoss(scale)(losses[r::2], mask[r::2], bins[r::2], dp_size=2) for r in range(2)]
    assert (sum(parts) / 2).item() == pytest.approx(formula(losses, mask, bins, weights).item(), rel=1e-5)


def test_gradient_reaches_only_tokens_of_bins_that_teach():
    losses = torch.ones(4, 2, requires_grad=True)
    mask, bins = torch.tensor([[1, 1], [1, 0], [1, 1], [1, 1]]), torch.tensor([0, 1, 2, 2])  # G = 2
    scale = daro_scale(torch.ones(1), tokens_of(bins, mask, 2))
    BinLoss(scale)(losses, mask, bins, dp_size=1).backward()
    assert losses.grad.tolist() == [[0, 0], [1, 0], [0, 0], [0, 0]]


def test_masked_tokens_may_be_nan():
    losses = torch.tensor([[1.0, float("nan")]])
    mask, bins = torch.tensor([[1, 0]]), torch.tensor([1])
    bin_loss = BinLoss(daro_scale(torch.ones(1), tokens_of(bins, mask, 2)))
    assert bin_loss(losses, mask, bins, dp_size=1).item() == 1


def test_a_mini_batch_that_teaches_nothing_has_loss_zero():
    mask, bins = torch.ones(3, 2), torch.tensor([0, 8, 0])
    bin_loss = BinLoss(daro_scale(torch.ones(7), tokens_of(bins, mask, 8)))
    assert bin_loss(torch.randn(3, 2), mask, bins, dp_size=1).item() == 0
