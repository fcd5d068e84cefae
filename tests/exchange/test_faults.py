"""What can go wrong on the way down, with real Ray actors: never an error, always a log line and a metric."""

import logging
import time
from collections.abc import Callable
from types import SimpleNamespace

import httpx
import pytest
import ray

from daro_verl.rollout.snapshot import Snapshot
from daro_verl.rollout.store import Delivery
from tests.exchange.actors import Job, StandInActor

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def shared_actor(cluster):
    return StandInActor.remote()


@pytest.fixture
def actor(shared_actor):
    """An actor as new."""
    ray.get(shared_actor.start_over.remote())
    return shared_actor


@pytest.fixture
def job(actor) -> Job:
    """Two servers that keep version 0 of step 0, confirmed."""
    job = Job(num_servers=2, actor=actor)
    sync(job, 0)
    until(lambda: job.shown() == [sent(job), sent(job)])
    return job


def sent(job: Job) -> Snapshot:
    """The newest snapshot that was sent."""
    return job.difficulty_messages.last


def sync(job: Job, global_step: int) -> dict[str, float]:
    """A weight sync with its exchange, and what became of its messages when all have answered or 2 s are over."""
    job.update_weights(global_step)
    job.difficulty_messages.wait(2.0)
    outcomes = job.difficulty_messages.outcomes()
    return {name.removeprefix("daro/exchange/"): value for name, value in outcomes.items()}


def num_messages(metrics: dict[str, float]) -> float:
    return sum(metrics[name] for name in ("confirmed", "refused", "failed", "late"))


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
        assert metrics["confirmed"] == num_messages(metrics) == 2
        assert metrics["refused"] == metrics["failed"] == metrics["late"] == 0
        assert 0 < len(sent(job).to_bytes()) < 2000 and metrics["milliseconds"] > 0
    assert sent(job) == job.shown()[0]


def test_the_actor_is_told_what_became_of_the_messages_before(job):
    ray.get(job.servers[1].set_delay.remote(30.0))
    for step in (1, 2, 3):
        job.update_weights(step)
        until(lambda: ray.get(job.servers[0].shown.remote()) == sent(job))
        time.sleep(0.5)  # its answer is on its way
    first, of_step_0, of_step_1, of_step_2 = ray.get(job.actor.told.remote())
    nothing = dict.fromkeys(("confirmed", "refused", "failed", "late", "new", "milliseconds"), 0.0)
    assert first == of_step_0 == nothing  # the fixture has looked at the answers of step 0 itself
    for told in (of_step_1, of_step_2):
        assert told.pop("milliseconds") > 0
        assert told == {"confirmed": 1, "refused": 0, "failed": 0, "late": 1, "new": 0}


def test_the_worker_group_may_answer_for_every_rank(job):
    ask = job.actor_wg.difficulty_snapshot
    job.actor_wg.difficulty_snapshot = lambda *given: [ask(*given), ask(*given)]
    assert sync(job, 1)["confirmed"] == 2


def test_the_real_mixin_in_an_actor_of_its_own(job):
    from tests.exchange.engine import Server

    server = ray.remote(num_cpus=0)(Server).remote(replica_rank=2)
    ray.get(server.launch_server.remote())
    job.replicas.append(SimpleNamespace(replica_rank=2, server_handle=server))
    weights = ray.get(job.actor.train.remote())
    assert sync(job, 1)["confirmed"] == 3
    host, port = ray.get(server.get_server_address.remote())
    assert httpx.get(f"http://{host}:{port}/daro").json()["snapshot"]["weights"] == weights


def test_a_server_killed_between_sync_and_push(job, caplog):
    ray.get(job.actor.train.remote())
    job.after_model = lambda: ray.kill(job.servers[0])
    metrics = sync(job, 1)
    assert metrics["failed"] == 1 and metrics["confirmed"] == 1
    assert ray.get(job.servers[1].shown.remote()).version == 1
    assert "replica 0 got no difficulty weights (version 1 of step 1)" in caplog.text


def test_a_push_delayed_by_30_s_costs_nobody_else_anything(job, caplog):
    """A sync a second, and one server that answers each message 30 s late; the test ends before the first answer."""
    slow, fast = job.servers
    ray.get(slow.set_delay.remote(30.0))
    for step in range(1, 7):
        ray.get(job.actor.train.remote())
        job.update_weights(step)
        if step > 1:  # the messages of the sync before: one server each; the late one is not looked at again
            metrics = ray.get(job.actor.told.remote())[-1]
            assert metrics["milliseconds"] < 2000  # the trainer did not wait
            assert metrics["confirmed"] == metrics["late"] == 1
            assert (
                f"replica 0 has not confirmed difficulty weights: version {step - 1} of step {step - 1}" in caplog.text
            )
        until(lambda: ray.get(fast.shown.remote()) == sent(job))
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
    message = sent(job).to_bytes()
    assert ray.get(job.servers[0].receive_difficulty.remote(message)).outcome is Delivery.DUPLICATE


def test_an_older_version_that_arrives_late_is_left_out(job):
    old = sent(job).to_bytes()
    ray.get(job.actor.train.remote())
    sync(job, 1)
    receipt = ray.get(job.servers[0].receive_difficulty.remote(old))
    assert receipt.outcome is Delivery.OLDER and receipt.digest == sent(job).digest()


def test_a_replica_added_holds_the_weights_after_its_first_sync(job, caplog):
    added = job.add_replica()
    assert ray.get(added.shown.remote()) is None
    ray.get(job.actor.train.remote())
    metrics = sync(job, 1)
    assert num_messages(metrics) == 3 and metrics["new"] == 1
    assert "replica 2 is new or starts again, with version 1 of step 1" in caplog.text
    assert ray.get(added.shown.remote()) == sent(job)
    metrics = sync(job, 2)
    assert metrics["confirmed"] == 3 and metrics["new"] == 0


def test_a_malformed_message_leaves_a_server_as_it_is(job):
    for message in (b"", b"{}", b"\xff"):
        receipt = ray.get(job.servers[0].receive_difficulty.remote(message))
        assert receipt.outcome is Delivery.MALFORMED and receipt.digest == sent(job).digest()


@pytest.mark.parametrize("where", ["on the way", "in the actor"])
def test_an_actor_without_a_whole_snapshot_costs_a_log_line_and_a_metric(where, job, caplog, monkeypatch):
    with monkeypatch.context() as patched:
        if where == "on the way":
            patched.setattr(job.actor_wg, "difficulty_snapshot", lambda *_: b"\xff")
        ray.get(job.actor.spoil.remote())
        metrics = sync(job, 1)
    assert metrics["failed"] == num_messages(metrics) == 2
    assert "No rollout server gets difficulty weights of step 1" in caplog.text
    assert job.shown() == [None, None]  # of step 1 there are none
    ray.get(job.actor.train.remote())
    assert sync(job, 2)["confirmed"] == 2


def test_servers_that_slept_show_their_snapshot_where_the_model_comes_again_without_a_label(job):
    ray.get([server.sleep.remote() for server in job.servers])
    assert job.shown() == [None, None]
    job.update_weights()
    until(lambda: job.shown() == [sent(job), sent(job)])  # Ray starts the calls of an actor in any order
    assert len(ray.get(job.actor.told.remote())) == 1  # the actor was not asked again


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


def test_servers_of_another_kind_are_left_alone(job):
    other = SimpleNamespace(replica_rank=9, server_handle=job.actor)
    job.after_model = lambda: job.replicas.append(other)
    metrics = sync(job, 1)
    assert metrics["confirmed"] == num_messages(metrics) == 2


def test_a_sync_without_a_label_before_the_first_one_sends_nothing(actor):
    job = Job(num_servers=1, actor=actor)
    job.update_weights()
    assert job.shown() == [None] and ray.get(job.actor.told.remote()) == []


def test_a_label_is_repeated_whose_snapshot_failed(job):
    """A later sync without a label, as for a validation: the servers hold the newer model."""
    sync(job, 1)
    ray.get(job.actor.spoil.remote())
    sync(job, 2)
    ray.get([server.sleep.remote() for server in job.servers])
    job.update_weights()
    until(lambda: {ray.get(server.label.remote()) for server in job.servers} == {2})
