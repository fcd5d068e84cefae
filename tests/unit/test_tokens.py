"""The tokens of a response that train: how many, and what another column has on the first of them."""

import pytest
import torch

from daro_verl.advantage.pass_rates import PassRates
from daro_verl.advantage.tokens import TrainingTokens
from daro_verl.workers.bin_counts import count_bins

# A tool token in front, one that trains, a rejected response, an empty one, a tool token at the end.
MASK = torch.tensor([[0, 1, 1], [1, 0, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]])
VALUES = torch.tensor([[9.0, -0.5, -0.5], [0.25, 0.0, 0.0], [0.75, 0.75, 0.75], [0.0, 0.0, 0.0], [0.5, 9.0, 0.0]])
LENGTHS = [3, 1, 3, 0, 2]


def nested(rows: torch.Tensor) -> torch.Tensor:
    return torch.nested.nested_tensor([row[:n] for row, n in zip(rows, LENGTHS, strict=True)], layout=torch.jagged)


def narrowed(rows: torch.Tensor) -> torch.Tensor:
    """A view of the same rows, with other values between them."""
    base = torch.full((5, 5), 1, dtype=rows.dtype)
    base[:, 1:4] = rows
    return torch.nested.narrow(base, 1, torch.ones(5, dtype=torch.int64), torch.tensor(LENGTHS), layout=torch.jagged)


LAYOUTS = {
    "padded": torch.clone,
    "transposed": lambda rows: rows.t().contiguous().t(),
    "nested": nested,
    "narrowed": narrowed,
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32])
def test_number_and_value_in_every_layout(layout, dtype):
    trains = TrainingTokens.of(layout(MASK.to(dtype)))
    assert trains.number.tolist() == [2, 1, 0, 0, 1]
    assert trains.value(layout(VALUES)).tolist() == [-0.5, 0.25, 0.0, 0.0, 0.5]


def test_responses_without_a_token_at_the_end():
    trains = TrainingTokens.of(torch.tensor([[1, 1], [0, 0]]))
    assert trains.value(torch.full((2, 2), 3.0)).tolist() == [3.0, 0.0]


def test_the_number_of_tokens_does_not_round():
    """A sum of float32 ones stops at 2^24."""
    mask = torch.ones(2, 2**24 + 1, dtype=torch.bool)
    assert TrainingTokens.of(mask).number.tolist() == [2**24 + 1] * 2


def test_the_sum_of_advantages_is_the_exact_one_over_tokens():
    """n times a float32 is exact in float64, and so is every sum on the way: the same bits as adding up tokens."""
    draw = torch.Generator().manual_seed(0)
    mask = (torch.arange(300) < torch.randint(1, 301, (64, 1), generator=draw)).long()
    advantages = torch.randn(64, 1, generator=draw) * mask
    bins = torch.arange(64) % 9
    rates, tokens = PassRates(bins / 8, bins > 4, bins < 0), TrainingTokens.of(mask)
    counts = count_bins(bins, rates, advantages, tokens, num_rollouts=8).values[4]
    by_token = torch.zeros(9, dtype=torch.float64).index_add_(0, bins, advantages.double().sum(dim=-1))
    assert torch.equal(counts, by_token)
