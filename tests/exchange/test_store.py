"""What a server makes of messages that come in any order."""

import logging

import pytest

from daro_verl.rollout.store import Delivery, SnapshotStore
from tests.exchange.snapshots import snapshot


@pytest.fixture
def store() -> SnapshotStore:
    """A server that serves the model of step 3 and keeps its snapshot."""
    store = SnapshotStore("server 0")
    store.serve(3)
    assert store.receive(snapshot(3).to_bytes()).outcome is Delivery.ACCEPTED
    return store


CASES = {
    "a duplicate": (snapshot(3).to_bytes(), Delivery.DUPLICATE, logging.WARNING),
    "an older version": (snapshot(2).to_bytes(), Delivery.OLDER, logging.WARNING),
    "an older step of the same version": (snapshot(3, 2).to_bytes(), Delivery.OLDER, logging.WARNING),
    "the same version with other weights": (
        snapshot(3, weights=(9.0, 9.0, 9.0)).to_bytes(),
        Delivery.CONFLICT,
        logging.ERROR,
    ),
    "a malformed message": (b"{}", Delivery.MALFORMED, logging.ERROR),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_not_newer_is_left_out_with_a_log_line(case, store, caplog):
    message, outcome, level = CASES[case]
    receipt = store.receive(message)
    assert receipt.outcome is outcome and receipt.digest == snapshot(3).digest()
    assert store.snapshot == snapshot(3)
    (line,) = caplog.records
    assert line.levelno == level and "server 0" in line.getMessage()


def test_weights_of_a_model_that_is_not_served_are_marked(store):
    store.serve(4)
    assert store.snapshot is None and not store.is_serving
    answer = store.describe()
    assert answer["global_step"] == 4 and answer["serving"] is False
    assert answer["snapshot"] == vars(snapshot(3)) and 0 <= answer["age_seconds"] < 60
    assert store.receive(snapshot(3).to_bytes()).digest is None  # confirmed to nobody
    assert store.receive(snapshot(5).to_bytes()).digest is None  # of a model that is still to come
    store.serve(5)
    assert store.snapshot == snapshot(5)


def test_a_stray_message_of_a_later_model_does_not_keep_out_that_of_the_served_one(store):
    assert store.receive(snapshot(9).to_bytes()).digest is None
    store.serve(4)
    assert store.receive(snapshot(4).to_bytes()).outcome is Delivery.ACCEPTED
    assert store.snapshot == snapshot(4)


def test_a_server_that_serves_no_model_shows_its_last_snapshot_and_says_so(store):
    store.serve(None)
    assert store.snapshot is None
    answer = store.describe()
    assert answer["global_step"] is None and answer["serving"] is False and answer["snapshot"] == vars(snapshot(3))
    store.serve(3)
    assert store.snapshot == snapshot(3)


def test_a_skipped_update_leaves_the_version_and_moves_the_step(store):
    store.serve(4)
    assert store.receive(snapshot(3, 4).to_bytes()).outcome is Delivery.ACCEPTED
    assert store.snapshot == snapshot(3, 4)


def test_a_new_server_shows_nothing_and_says_that_it_is_new(caplog):
    assert SnapshotStore().snapshot is None
    store = SnapshotStore()
    assert [store.receive(snapshot(version).to_bytes()).is_first for version in (3, 4)] == [True, False]
    assert SnapshotStore().receive(b"").outcome is Delivery.MALFORMED


def test_what_the_http_interface_answers(store):
    answer = store.describe()
    assert answer["global_step"] == 3 and answer["serving"] is True and 0 <= answer["age_seconds"] < 60
    assert answer["snapshot"] == {
        "version": 3,
        "global_step": 3,
        "num_rollouts": 4,
        "weights": (1.0 + 3 / 7, 1 / 3, 0.1),
        "losses": (0.25, None, -0.5),
        "token_shares": (0.0, 0.25, 0.0, 0.5, 0.25),
    }
