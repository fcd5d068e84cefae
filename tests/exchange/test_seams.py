"""Where the exchange is attached in verl: on in a DARO job, absent in any other."""

import asyncio
import subprocess
import sys
from types import SimpleNamespace

import pytest
from verl.checkpoint_engine.base import CheckpointEngineManager, CheckpointEngineRegistry
from verl.workers.rollout.llm_server import LLMServerManager
from verl.workers.rollout.replica import RolloutReplicaRegistry

from daro_verl.errors import DaroVerlError
from daro_verl.rollout.exchange import DifficultyExchange, with_exchange
from daro_verl.rollout.replicas import ReplicaClass, with_difficulty
from tests.unit.jobs import compose_job

VLLM, GRPO = "actor_rollout_ref.rollout.name=vllm", "algorithm.adv_estimator=grpo"


class Manager(LLMServerManager):
    """verl's, with the attribute that it has in a job."""

    rollout_replica_class = ReplicaClass()


@pytest.fixture
def vllm_replica(monkeypatch) -> type:
    """What verl's registry gives for vLLM, which is not imported."""
    replica = type("vLLMReplica", (), {})
    monkeypatch.setitem(RolloutReplicaRegistry._registry, "vllm", lambda: replica)
    return replica


def test_servers_of_a_daro_job_keep_the_weights_and_those_of_any_other_job_are_verls(vllm_replica, monkeypatch):
    counterpart = type("Counterpart", (), {})
    chosen = []

    def choose(replica: type) -> type:
        chosen.append(replica)
        return counterpart

    monkeypatch.setattr("daro_verl.rollout.replicas.with_difficulty", choose)
    plain = Manager(compose_job(VLLM, GRPO), worker_group=object())
    assert plain.rollout_replica_class is vllm_replica and chosen == []
    of_daro = Manager(compose_job(VLLM), worker_group=object())
    assert of_daro.rollout_replica_class is of_daro.rollout_replica_class is counterpart
    assert chosen == [vllm_replica]  # once, however many replicas are made
    assert not hasattr(Manager, "rollout_replica_class")  # as in verl


def test_a_users_own_replica_class_stays(vllm_replica):
    own = type("OwnReplica", (), {})
    manager_class = type("OwnManager", (Manager,), {"rollout_replica_class": own})
    assert manager_class(compose_job(VLLM), worker_group=object()).rollout_replica_class is own


def test_a_replica_class_without_a_counterpart_is_left_alone(monkeypatch, caplog):
    replica = type("TRTLLMReplica", (), {})
    assert with_difficulty(replica) is replica
    assert "The rollout servers of TRTLLMReplica do not get the difficulty weights" in caplog.text
    monkeypatch.setitem(RolloutReplicaRegistry._registry, "vllm", lambda: replica)
    assert Manager(compose_job(VLLM), worker_group=object()).rollout_replica_class is replica


def test_prefill_and_decode_apart_are_chosen_as_verl_does(monkeypatch):
    asked = []
    replica = type("vLLMPDReplica", (), {})
    monkeypatch.setattr(
        "verl.workers.rollout.replica.get_rollout_replica_class",
        lambda name, disaggregation_enabled: asked.append((name, disaggregation_enabled)) or replica,
    )
    manager = Manager(compose_job(VLLM, "actor_rollout_ref.rollout.disaggregation.enabled=True"), worker_group=object())
    assert manager.rollout_replica_class is replica and asked == [("vllm", True)]


class Asked:
    """An actor worker group that counts what it is asked, and a server that takes what comes."""

    def __init__(self, takes: bool, manager_class: type | None = None) -> None:
        self.calls: list[str] = []
        self.update_weights = lambda **_: self.calls.append("model") or []
        self.difficulty_snapshot = lambda *_: self.calls.append("snapshot") or b""
        label = SimpleNamespace(remote=lambda step: self.calls.append(f"label {step}"))
        handle = SimpleNamespace(receive_difficulty=None, set_global_steps=label) if takes else SimpleNamespace()
        config = SimpleNamespace(backend="naive", custom_backend_module=None)
        replica = SimpleNamespace(replica_rank=0, server_handle=handle)
        self.manager = (manager_class or with_exchange(CheckpointEngineManager))(config, self, [replica])


@pytest.fixture(autouse=True)
def no_ray(monkeypatch):
    monkeypatch.setattr("verl.checkpoint_engine.base.ray.get", lambda result: result)
    monkeypatch.setattr(CheckpointEngineRegistry, "get", lambda _: None)


def test_the_snapshot_is_asked_for_after_the_model_from_any_kind_of_caller(caplog):
    async def awaiting(asked: Asked) -> None:
        await asked.manager.update_weights(1)

    async def not_awaiting(asked: Asked) -> None:
        def inner() -> None:
            asked.manager.update_weights(global_steps=1)

        inner()

    asked = Asked(takes=True)
    assert asked.manager.update_weights(1) == {}  # what verl's returns
    asyncio.run(awaiting(asked))
    asyncio.run(not_awaiting(asked))
    assert asked.calls == 3 * ["model", "snapshot"]
    asked.manager.update_weights()
    assert asked.calls[6:] == ["model", "label 1"]


def test_a_training_worker_without_weights_is_named_at_the_first_sync():
    """A recipe whose own class attribute ``actor_worker_cls`` takes the place of DARO's: before any update."""
    from verl.workers.engine_workers import ActorRolloutRefWorker

    holder = SimpleNamespace(actor=SimpleNamespace())
    with pytest.raises(DaroVerlError, match="worker of the actor: got 'SimpleNamespace', .*Fix: let the class"):
        ActorRolloutRefWorker.difficulty_snapshot(holder, 0, {})


def test_a_users_own_manager_has_the_exchange_by_inheritance():
    class Own(with_exchange(CheckpointEngineManager)):
        async def update_weights(self, global_steps=None):
            self.actor_wg.calls.append("own")
            return await super().update_weights(global_steps)

    asked = Asked(takes=True, manager_class=Own)
    asyncio.run(asked.manager.update_weights(1))
    assert asked.calls == ["own", "model", "snapshot"]


def test_a_job_with_verls_servers_is_not_asked():
    asked = Asked(takes=False)
    assert asked.manager.update_weights(1) == {}
    assert asked.calls == ["model"] and asked.manager.difficulty_messages is None


def test_the_manager_is_verls_in_name_and_is_made_once():
    manager_class = with_exchange(CheckpointEngineManager)
    assert with_exchange(manager_class) is manager_class
    assert issubclass(manager_class, (DifficultyExchange, CheckpointEngineManager))
    for name in ("__module__", "__qualname__", "__doc__"):
        assert getattr(manager_class, name) == getattr(CheckpointEngineManager, name)


IN_A_PROCESS_OF_ITS_OWN = """
import pickle, sys
{first}
import wrapt

def replace(module):
    from daro_verl.rollout.exchange import with_exchange
    module.CheckpointEngineManager = with_exchange(module.CheckpointEngineManager)

wrapt.register_post_import_hook(replace, "verl.checkpoint_engine.base")
from verl.checkpoint_engine import CheckpointEngineManager
from verl.checkpoint_engine import base
from daro_verl.rollout.exchange import DifficultyExchange
assert CheckpointEngineManager is base.CheckpointEngineManager
assert issubclass(CheckpointEngineManager, DifficultyExchange)
assert pickle.loads(pickle.dumps(CheckpointEngineManager)) is CheckpointEngineManager
manager = object.__new__(CheckpointEngineManager)
manager.replicas, manager.difficulty_messages = [1], lambda: "not to be pickled"
copy = pickle.loads(pickle.dumps(manager))
assert type(copy) is CheckpointEngineManager and vars(copy) == {{"replicas": [1]}}
assert not [name for name in sys.modules if name.endswith("_async_server")]  # no engine of ours
"""


@pytest.mark.slow
@pytest.mark.parametrize("first", ["", "import daro_verl.rollout.exchange"])
def test_verls_modules_import_the_manager_with_the_exchange_and_it_pickles(first):
    """As the seam does it, whichever of the two modules is imported first."""
    code = IN_A_PROCESS_OF_ITS_OWN.format(first=first)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
