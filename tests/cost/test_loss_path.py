"""What the paths that are timed compute, and what DARO's may not do in a micro-batch."""

from functools import partial

import pytest
import torch

from benchmarks.cost.batches import loss_batch
from benchmarks.cost.loss import daro_path, one_rank, plain_path, verl_loss
from benchmarks.cost.watching import Watch
from daro_verl.workers.difficulty_weights import DifficultyWeights
from daro_verl.workers.mini_batch import MiniBatch, Ranks

G = 8


@pytest.fixture(autouse=True)
def _alone():
    with one_rank():
        yield


def test_both_layouts_hold_the_same_batch():
    gradients = []
    for nested in (True, False):
        data, log_probs = loss_batch(16, 12, G, nested)
        plain = plain_path(verl_loss(G), data, log_probs)
        gradient, losses = daro_path(verl_loss(G), DifficultyWeights(G), data, log_probs)
        gradients.append((plain.values(), gradient.values(), losses))
    for nested, padded in zip(*gradients, strict=True):
        torch.testing.assert_close(nested, padded)


def test_the_scaled_loss_reads_no_value_and_asks_no_rank():
    """In a micro-batch DARO adds no read beyond those of verl's own loss, and no collective."""
    data, log_probs = loss_batch(16, 12, G)
    mini_batch = MiniBatch(data, DifficultyWeights(G), Ranks(None, True, 0, "cpu"))
    with Watch() as plain:
        plain_path(verl_loss(G), data, log_probs)
    with Watch() as daro:
        plain_path(partial(mini_batch.loss, verl_loss(G)), data, log_probs)
    assert plain.reads == daro.reads and plain.num_reads > 0
    assert daro.collectives == {}
