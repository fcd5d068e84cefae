"""Sums over the tokens of a response, padded and nested."""

import pytest
import torch

from daro_verl.advantage.tokens import Tokens

PADDED = torch.tensor([[1.0, -2.0, 0.0], [3.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
SUM, LARGEST = [-1.0, 3.0, 0.0], [2.0, 3.0, 0.0]


def nested() -> torch.Tensor:
    rows = [PADDED[0, :2], PADDED[1, :1], PADDED[2, :0]]
    return torch.nested.nested_tensor(rows, layout=torch.jagged)


def narrowed() -> torch.Tensor:
    """A view of the same rows, with other values between them."""
    base = torch.full((3, 5), 7.0)
    base[:, 1:4] = PADDED
    return torch.nested.narrow(base, 1, torch.tensor([1, 1, 1]), torch.tensor([2, 1, 0]), layout=torch.jagged)


@pytest.mark.parametrize("layout", [lambda: PADDED, nested, narrowed], ids=["padded", "nested", "view"])
def test_every_layout_has_the_same_sums(layout):
    tokens = Tokens.of(layout())
    assert tokens.sum().tolist() == SUM  # 1 - 2, 3, nothing
    assert tokens.largest_size().tolist() == LARGEST
    assert Tokens.of(tokens) is tokens


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32])
def test_ones_of_a_mask_of_any_type(dtype):
    mask = torch.tensor([[1, 1, 0], [0, 0, 0]]).to(dtype)
    rows = torch.nested.nested_tensor([mask[0], mask[1, :0]], layout=torch.jagged)
    assert Tokens.of(mask).num_ones.tolist() == Tokens.of(rows).num_ones.tolist() == [2.0, 0.0]
