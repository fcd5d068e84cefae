"""The message: whole to the last bit, ordered by version, refused where it is not a snapshot."""

import json
import math

import pytest
import torch

from daro_verl.errors import DaroSnapshotError
from daro_verl.rollout.snapshot import Snapshot, snapshot_of
from daro_verl.workers.difficulty_weights import DifficultyWeights
from tests.exchange.snapshots import snapshot


def test_a_message_brings_back_the_same_bits():
    sent = snapshot(weights=(math.nextafter(1 / 3, 1), 5e-324, 1e300))
    got = Snapshot.from_bytes(sent.to_bytes())
    assert got == sent and got.digest() == sent.digest()
    assert got.digest() != snapshot(weights=(1 / 3, 5e-324, 1e300)).digest()


def test_a_message_is_linear_in_the_rollouts():
    def size(G: int) -> int:
        weights = (1 / 3,) * (G - 1)
        return len(
            snapshot(num_rollouts=G, weights=weights, losses=weights, token_shares=(1 / 3,) * (G + 1)).to_bytes()
        )

    assert size(64) < 64 * 3 * 25 and size(64) - size(32) == pytest.approx(2 * (size(32) - size(16)), rel=0.05)


def test_later_versions_and_later_steps_of_a_version_come_after():
    in_order = [snapshot(0), snapshot(1, 2), snapshot(1, 3), snapshot(2, 3), snapshot(10, 4)]
    assert sorted(reversed(in_order), key=lambda s: s.order) == in_order


MALFORMED = {
    "not JSON": (b"\x00\x01", "expected UTF-8 JSON"),
    "no bytes": (None, "expected UTF-8 JSON"),
    "a list": (b"[1]", "format"),
    "another format": ({"format": 2}, "format"),
    "a field too few": ({"losses": ...}, "fields"),
    "a field too many": ({"more": 1}, "fields"),
    "a weight too few": ({"weights": [1.0, 1.0]}, "weights: got .* expected 3 finite numbers > 0"),
    "a weight of zero": ({"weights": [1.0, 0.0, 1.0]}, "weights"),
    "a weight that is not finite": ({"weights": [1.0, math.inf, 1.0]}, "weights"),
    "a weight that is no number": ({"weights": [1.0, "1", 1.0]}, "weights"),
    "a loss that is not finite": ({"losses": [0.0, math.nan, 0.0]}, "losses"),
    "a share above one": ({"token_shares": [0.0, 0.0, 1.5, 0.0, 0.0]}, "token_shares"),
    "a negative version": ({"version": -1}, "version: got -1, expected an integer of at least 0"),
    "a version that is no integer": ({"version": True}, "version"),
    "no rollouts": ({"num_rollouts": 1}, "num_rollouts"),
    "a step that is null": ({"global_step": None}, "global_step"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_message_is_refused_with_what_was_expected(case):
    changes, expected = MALFORMED[case]
    message = changes
    if isinstance(changes, dict):
        fields = json.loads(snapshot().to_bytes()) | changes
        message = json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()
    with pytest.raises(DaroSnapshotError, match=expected):
        Snapshot.from_bytes(message)


def test_a_snapshot_of_an_actor_that_has_not_trained_yet():
    taken = snapshot_of(DifficultyWeights(4, {"weighting": "paper"}), None, global_step=0)
    assert taken == Snapshot(0, 0, 4, (1.0, 1.0, 1.0), (None, None, None), (0.0,) * 5)


def test_a_snapshot_has_the_weights_after_the_step_and_the_losses_of_the_bins_that_were_there():
    weights = DifficultyWeights(4, {"weighting": "paper"})
    tokens = torch.tensor([10.0, 30, 0, 20, 40])
    losses = torch.tensor([0.5, 0.0, math.nan])
    weights.step(losses, tokens[1:-1] > 0)
    taken = snapshot_of(weights, (losses, tokens), global_step=1)
    assert taken.weights == tuple(weights.weights().tolist()) and taken.weights[0] > 1
    assert taken.losses == (0.5, None, None)
    assert taken.token_shares == (0.1, 0.3, 0.0, 0.2, 0.4)
    assert (taken.version, taken.global_step) == (1, 1)
