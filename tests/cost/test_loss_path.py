"""What the paths that are timed compute, and what DARO's may not do in a micro-batch."""

import pytest
import torch

from benchmarks.cost.batches import loss_batch
from benchmarks.cost.loss import actor_config, daro_path, one_rank, plain_path
from benchmarks.cost.watching import Watch
from daro_verl.workers.difficulty_weights import DifficultyWeights
from daro_verl.workers.mini_batch import BINS_KEY, MiniBatch, Ranks
from daro_verl.workers.policy_loss import reweighted

G = 8


@pytest.fixture(autouse=True)
def _alone():
    with one_rank():
        yield


def test_both_layouts_hold_the_same_batch():
    gradients = []
    for nested in (True, False):
        data, log_probs = loss_batch(16, 12, G, nested)
        plain = plain_path(actor_config(G, daro=False), data, log_probs)
        gradient, losses = daro_path(actor_config(G), DifficultyWeights(G), data, log_probs)
        gradients.append((plain.values(), gradient.values(), losses))
    for nested, padded in zip(*gradients, strict=True):
        torch.testing.assert_close(nested, padded)


def test_the_sum_by_bin_reads_no_value_and_asks_no_rank():
    """In a micro-batch DARO adds no read beyond those of verl's own loss, and no collective."""
    data, log_probs = loss_batch(16, 12, G)
    mini_batch = MiniBatch(data, DifficultyWeights(G), Ranks(None, True, 0, "cpu"))
    with Watch() as plain:
        plain_path(actor_config(G, daro=False), data, log_probs)
    with Watch() as daro, reweighted(mini_batch.bin_loss, data[BINS_KEY]):
        plain_path(actor_config(G), data, log_probs)
    assert plain.reads == daro.reads and plain.num_reads > 0
    assert daro.collectives == {}
