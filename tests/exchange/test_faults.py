"""What can go wrong on the way down, with real Ray actors: never an error, always a log line and a metric."""

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
    assert [shown.version for shown in job.shown()] == [0, 0]
    return job


def sync(job: Job, global_step: int) -> dict[str, float]:
    """A weight sync, and the exchange after it."""
    job.sync_model(global_step)
    return exchanged(job, global_step)


def exchanged(job: Job, global_step: int) -> dict[str, float]:
    """The metrics of one exchange, short, when all servers have answered or are late."""
    exchange_after_sync(job, global_step)
    exchange_of(job).wait()
    metrics = step_log.drain() | exchange_of(job).finished()
    return {name.removeprefix("daro/exchange/"): value for name, value in metrics.items()}


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


def test_a_push_delayed_by_30_s_costs_the_trainer_nothing_and_is_shown_to_nobody(job, caplog, monkeypatch):
    """The delay is 6 s here, and late is after 2 s: what happens does not depend on its length."""
    monkeypatch.setattr(exchange, "ANSWER_SECONDS", 2.0)
    slow, fast = job.servers
    ray.get(slow.set_delay.remote(6.0))
    ray.get(job.actor.train.remote())
    metrics = sync(job, 1)
    assert metrics["late"] == 1 and metrics["confirmed"] == 1
    assert metrics["milliseconds"] < 2000  # the trainer does not wait
    assert ray.get(slow.shown.remote()) is None  # the model of step 1 without its weights: nothing is shown
    assert ray.get(fast.shown.remote()).version == 1
    ray.get(slow.set_delay.remote(0.0))
    ray.get(job.actor.train.remote())
    second = sync(job, 2)
    assert "replica 0 has not confirmed difficulty weights: version 1 of step 1" in caplog.text
    assert [shown.version for shown in job.shown()] == [2, 2]
    ray.wait([message.answer for message in exchange_of(job).on_the_way])
    assert [shown.version for shown in job.shown()] == [2, 2]  # the late one came, and was older
    third = sync(job, 3)
    assert second["refused"] + third["refused"] == 1
    assert third["late"] == 0 and third["confirmed"] == 2
    assert "replica 0 keeps other difficulty weights (older): version 1 of step 1" in caplog.text


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


def test_a_replica_added_holds_the_weights_after_its_first_sync(job):
    added = job.add_replica()
    assert ray.get(added.shown.remote()) is None
    ray.get(job.actor.train.remote())
    assert sync(job, 1)["sent"] == 3
    assert ray.get(added.shown.remote()) == newest_sent()
    assert sync(job, 2)["confirmed"] == 3


def test_a_malformed_message_leaves_a_server_as_it_is(job):
    for message in (b"", b"{}", b"\xff"):
        receipt = ray.get(job.servers[0].receive_difficulty.remote(message))
        assert receipt.outcome is Outcome.MALFORMED and receipt.digest == newest_sent().digest()


def test_a_server_that_starts_again_shows_nothing_until_the_next_sync(job):
    ray.kill(job.servers[0])
    job.replicas.pop(0)
    again = job.add_replica()
    ray.get(again.set_global_steps.remote(0))
    assert ray.get(again.shown.remote()) is None
    sync(job, 1)
    assert ray.get(again.shown.remote()).global_step == 1


def test_servers_of_another_kind_and_syncs_without_a_label_are_left_alone(job):
    exchange_after_sync(job, None)
    assert step_log.drain() == {}
    job.sync_model(1)
    job.replicas.append(job.replicas[0].__class__(replica_rank=9, server_handle=job.actor))
    assert exchanged(job, 1)["sent"] == 2
