"""What can go wrong on the way down, with real Ray actors: never an error, always a log line and a metric."""

import logging
import time
from collections.abc import Callable
from types import SimpleNamespace

import httpx
import pytest
import ray

from daro_verl.rollout import exchange, step_log
from daro_verl.rollout.exchange import exchange_after_sync, exchange_of, newest_sent, version_of_step
from daro_verl.rollout.holder import Outcome
from tests.exchange.actors import Job

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    yield
    ray.shutdown()


@pytest.fixture
def job(monkeypatch) -> Job:
    """Two servers that hold version 0 of step 0, confirmed."""
    monkeypatch.setattr(exchange, "_sent", {})
    step_log.drain()
    job = Job(num_servers=2)
    sync(job, 0)
    until(lambda: job.shown() == [newest_sent(), newest_sent()])
    return job


def sync(job: Job, global_step: int) -> dict[str, float]:
    """A weight sync, and the exchange after it."""
    job.sync_model(global_step)
    return exchanged(job, global_step)


def exchanged(job: Job, global_step: int) -> dict[str, float]:
    """The metrics of one exchange, short, when all servers have answered or 2 s are over."""
    exchange_after_sync(job, global_step)
    exchange_of(job).wait(2.0)
    step_log.add(exchange_of(job).settle())
    return {name.removeprefix("daro/exchange/"): value for name, value in step_log.drain().items()}


def until(holds: Callable[[], bool]) -> None:
    """Wait for what is on its way, a second at most where the machine is not busy."""
    deadline = time.time() + 10
    while not holds():
        assert time.time() < deadline
        time.sleep(0.02)


def test_every_server_holds_the_actors_weights_to_the_last_bit_at_every_step(job):
    for step in (1, 2, 3):
        weights = ray.get(job.actor.train.remote())
        metrics = sync(job, step)
        for shown in job.shown():
            assert list(shown.weights) == weights and (shown.version, shown.global_step) == (step, step)
        assert metrics["sent"] == metrics["confirmed"] == 2
        assert metrics["refused"] == metrics["failed"] == metrics["late"] == 0
        assert 0 < metrics["bytes"] < 2 * 2000 and metrics["milliseconds"] > 0
        assert version_of_step(step) == step
    assert newest_sent() == job.shown()[0]


def test_the_real_mixin_in_an_actor_of_its_own(job):
    from tests.exchange.engine import Server

    server = ray.remote(num_cpus=0)(Server).remote(replica_rank=2)
    ray.get(server.launch_server.remote())
    job.replicas.append(SimpleNamespace(replica_rank=2, server_handle=server))
    weights = ray.get(job.actor.train.remote())
    assert sync(job, 1)["confirmed"] == 3
    host, port = ray.get(server.get_server_address.remote())
    assert httpx.get(f"http://{host}:{port}/daro").json()["snapshot"]["weights"] == weights
    assert ray.get(server.generate.remote()).extra_fields["daro_weight_version"] == 1


def test_a_server_killed_between_sync_and_push(job, caplog):
    ray.get(job.actor.train.remote())
    job.sync_model(1)
    ray.kill(job.servers[0])
    metrics = exchanged(job, 1)
    assert metrics["failed"] == 1 and metrics["confirmed"] == 1
    assert ray.get(job.servers[1].shown.remote()).version == 1
    assert "replica 0 got no difficulty weights (version 1 of step 1)" in caplog.text


def test_a_push_delayed_by_30_s_costs_nobody_else_anything(job, caplog):
    """A sync a second, and one server that answers each message 30 s late; the test ends before the first answer."""
    slow, fast = job.servers
    ray.get(slow.set_delay.remote(30.0))
    for step in range(1, 7):
        ray.get(job.actor.train.remote())
        job.sync_model(step)
        exchange_after_sync(job, step)
        metrics = step_log.drain()
        assert metrics["daro/exchange/milliseconds"] < 2000  # the trainer does not wait
        if step > 1:  # the messages of the sync before: one server each; the late one is not looked at again
            assert metrics["daro/exchange/confirmed"] == metrics["daro/exchange/late"] == 1
            assert (
                f"replica 0 has not confirmed difficulty weights: version {step - 1} of step {step - 1}" in caplog.text
            )
        until(lambda: ray.get(fast.shown.remote()) == newest_sent())
        assert ray.get(slow.shown.remote()) is None  # a model without its weights: nothing is shown
        time.sleep(1.0)


def test_a_late_answer_is_older_than_what_came_since(job):
    ray.get(job.servers[0].set_delay.remote(3.0))
    assert sync(job, 1)["late"] == 1
    ray.get(job.servers[0].set_delay.remote(0.0))
    assert sync(job, 2)["confirmed"] == 2
    time.sleep(1.5)  # the message of step 1 came
    assert [shown.global_step for shown in job.shown()] == [2, 2]
    assert sync(job, 3)["confirmed"] == 2


def test_a_duplicate_is_confirmed(job):
    assert sync(job, 0)["confirmed"] == 2
    message = newest_sent().to_bytes()
    assert ray.get(job.servers[0].receive_difficulty.remote(message)).outcome is Outcome.DUPLICATE


def test_an_older_version_that_arrives_late_is_left_out(job):
    old = newest_sent().to_bytes()
    ray.get(job.actor.train.remote())
    sync(job, 1)
    receipt = ray.get(job.servers[0].receive_difficulty.remote(old))
    assert receipt.outcome is Outcome.OLDER and receipt.digest == newest_sent().digest()


def test_a_replica_added_holds_the_weights_after_its_first_sync(job, caplog):
    added = job.add_replica()
    assert ray.get(added.shown.remote()) is None
    ray.get(job.actor.train.remote())
    metrics = sync(job, 1)
    assert metrics["sent"] == 3 and metrics["new"] == 1
    assert "replica 2 is new or starts again, with version 1 of step 1" in caplog.text
    assert ray.get(added.shown.remote()) == newest_sent()
    metrics = sync(job, 2)
    assert metrics["confirmed"] == 3 and metrics["new"] == 0


def test_a_malformed_message_leaves_a_server_as_it_is(job):
    for message in (b"", b"{}", b"\xff"):
        receipt = ray.get(job.servers[0].receive_difficulty.remote(message))
        assert receipt.outcome is Outcome.MALFORMED and receipt.digest == newest_sent().digest()


@pytest.mark.parametrize("where", ["on the way", "in the actor"])
def test_an_actor_without_a_whole_snapshot_costs_a_log_line_and_a_metric(where, job, caplog, monkeypatch):
    with monkeypatch.context() as patched:
        if where == "on the way":
            patched.setattr(job.actor_wg, "difficulty_snapshot", lambda _: b"\xff")
        ray.get(job.actor.spoil.remote())
        metrics = sync(job, 1)
    assert metrics["failed"] == 2 and metrics["sent"] == metrics["bytes"] == metrics["confirmed"] == 0
    assert "No rollout server gets difficulty weights of step 1" in caplog.text
    assert job.shown() == [None, None]  # of step 1 there are none
    ray.get(job.actor.train.remote())
    assert sync(job, 2)["confirmed"] == 2


def test_servers_that_slept_show_their_snapshot_where_the_model_comes_again_without_a_label(job):
    ray.get([server.sleep.remote() for server in job.servers])
    assert job.shown() == [None, None]
    exchange_after_sync(job, None)
    until(lambda: job.shown() == [newest_sent(), newest_sent()])  # Ray starts the calls of an actor in any order
    assert step_log.drain() == {}


def test_a_server_that_starts_again_shows_nothing_until_the_next_sync(job, caplog):
    ray.kill(job.servers[0])
    job.replicas.pop(0)
    again = job.add_replica()
    ray.get(again.set_global_steps.remote(0))
    assert ray.get(again.shown.remote()) is None
    assert sync(job, 1)["new"] == 1
    assert ray.get(again.shown.remote()).global_step == 1
    (line,) = (line for line in caplog.records if "is new or starts again" in line.message)
    assert line.levelno == logging.WARNING  # at the first sync of a job: INFO


def test_servers_of_another_kind_and_syncs_without_a_label_are_left_alone(job):
    exchange_after_sync(job, None)
    assert step_log.drain() == {}
    job.sync_model(1)
    job.replicas.append(job.replicas[0].__class__(replica_rank=9, server_handle=job.actor))
    assert exchanged(job, 1)["sent"] == 2
