"""Where the exchange is attached in verl: on in a DARO job, absent in any other."""

import asyncio
from types import SimpleNamespace

import pytest
from verl.checkpoint_engine.base import CheckpointEngineManager
from verl.single_controller.base.decorator import MAGIC_ATTR, Dispatch, Execute
from verl.workers.engine_workers import ActorRolloutRefWorker
from verl.workers.rollout.llm_server import LLMServerManager

from daro_verl.errors import DaroConfigError
from daro_verl.job import prepare_job
from tests.unit.jobs import compose_job


def job(*overrides: str):
    config = compose_job("actor_rollout_ref.rollout.name=vllm", *overrides)
    prepare_job(config)
    return config


GRPO = "algorithm.adv_estimator=grpo"


class Manager(LLMServerManager):
    """verl's, for an engine that is not installed."""

    rollout_replica_class = type("vLLMReplica", (), {})


def test_servers_of_a_daro_job_hold_the_weights_and_those_of_any_other_job_are_verls(monkeypatch):
    counterpart = type("Counterpart", (), {})
    monkeypatch.setattr("daro_verl.rollout.replicas.with_difficulty", {Manager.rollout_replica_class: counterpart}.get)
    plain = Manager(job(GRPO), worker_group=object())
    assert plain.rollout_replica_class is Manager.rollout_replica_class
    assert Manager(job(), worker_group=object()).rollout_replica_class is counterpart


def test_a_replica_class_without_a_counterpart_is_left_alone(caplog):
    from daro_verl.rollout.replicas import with_difficulty

    class TRTLLMReplica:
        pass

    assert with_difficulty(TRTLLMReplica) is TRTLLMReplica
    assert "Servers of TRTLLMReplica do not hold the difficulty weights" in caplog.text


def test_agent_loops_of_a_daro_job_know_pass_rates_and_those_of_any_other_job_are_verls():
    from verl.trainer.ppo.v1.agent_loop_tq import AgentLoopManagerTQ, AgentLoopWorkerTQ

    from daro_verl.rollout.agent_loop import DifficultyAgentLoopWorker

    assert AgentLoopManagerTQ(job(GRPO), None).agent_loop_workers_class is AgentLoopWorkerTQ
    chosen = AgentLoopManagerTQ(job(), None).agent_loop_workers_class
    assert chosen.__ray_actor_class__ is DifficultyAgentLoopWorker
    assert issubclass(DifficultyAgentLoopWorker, AgentLoopWorkerTQ.__ray_actor_class__)


def test_the_driver_can_ask_rank_zero_for_the_snapshot():
    registered = getattr(ActorRolloutRefWorker.difficulty_snapshot, MAGIC_ATTR)
    assert registered["dispatch_mode"] == Dispatch.ALL_TO_ALL and registered["execute_mode"] == Execute.RANK_ZERO
    assert registered["blocking"]  # no update of the actor may come in between
    worker = SimpleNamespace(actor=SimpleNamespace(difficulty_snapshot=lambda step: b"%d" % step))
    assert ActorRolloutRefWorker.difficulty_snapshot(worker, 7) == b"7"


class Asked:
    """An actor worker group that counts what it is asked, and a server that takes what comes."""

    def __init__(self, takes: bool) -> None:
        self.calls: list[str] = []
        self.update_weights = lambda **_: self.calls.append("model") or []
        self.difficulty_snapshot = lambda step: self.calls.append("snapshot") or b""
        handle = SimpleNamespace(receive_difficulty=None) if takes else SimpleNamespace()
        manager = SimpleNamespace(backend="naive")
        self.manager = CheckpointEngineManager(manager, self, [SimpleNamespace(replica_rank=0, server_handle=handle)])
        self.manager.backend = "naive"


@pytest.fixture
def no_ray(monkeypatch):
    monkeypatch.setattr("verl.checkpoint_engine.base.ray.get", lambda result: result)
    monkeypatch.setattr("daro_verl.rollout.messages.Messages.send", lambda *_: None)
    monkeypatch.setattr("verl.checkpoint_engine.base.CheckpointEngineRegistry.get", lambda _: None)
    monkeypatch.setattr(
        "verl.checkpoint_engine.base.import_external_libs", lambda _: None
    )  # the configuration is a stand-in


def test_the_snapshot_goes_out_after_the_model_from_any_kind_of_caller(no_ray, monkeypatch):
    monkeypatch.setattr(CheckpointEngineManager, "__init__", _plain_init)

    async def awaiting(asked: Asked) -> None:
        await asked.manager.update_weights(1)

    async def not_awaiting(asked: Asked) -> None:
        def inner() -> None:
            asked.manager.update_weights(global_steps=1)

        inner()

    asked = Asked(takes=True)
    asked.manager.update_weights(1)
    asyncio.run(awaiting(asked))
    asyncio.run(not_awaiting(asked))
    assert asked.calls == 3 * ["model", "snapshot"]
    asked.manager.update_weights()
    assert asked.calls[6:] == ["model"]


def test_a_job_with_verls_servers_is_not_asked(no_ray, monkeypatch):
    monkeypatch.setattr(CheckpointEngineManager, "__init__", _plain_init)
    asked = Asked(takes=False)
    asked.manager.update_weights(1)
    assert asked.calls == ["model"]


def _plain_init(self, config, actor_wg, replicas) -> None:
    self.config, self.actor_wg, self.replicas = config, actor_wg, replicas


@pytest.mark.parametrize("overrides, watched", [([], True), ([GRPO], False)])
def test_the_replay_buffer_of_a_daro_job_is_watched(overrides, watched):
    from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync

    trainer = object.__new__(PPOTrainerSync)
    trainer.config, trainer.trainer_mode, trainer.parameter_sync_step = job(*overrides), "sync", 1
    buffer = trainer._build_replay_buffer()
    assert ("_clear_groups" in vars(buffer)) is watched
    assert "_select_prompt_uids" not in vars(buffer)  # balanced_sampling is off


@pytest.mark.parametrize("mode, patience", [("sync", None), ("colocate_async", 1), ("separate_async", 2)])
def test_a_group_may_be_passed_over_as_often_as_a_step_samples(mode, patience, monkeypatch):
    """verl's synchronous buffer discards its surplus itself."""
    from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync

    from daro_verl.rollout.sampling import DifficultySampling

    attached = []
    monkeypatch.setattr(DifficultySampling, "attach", lambda self, buffer, *given: attached.append(given))
    trainer = object.__new__(PPOTrainerSync)
    trainer.config, trainer.trainer_mode = job(BALANCED, *FILTER), mode
    trainer.parameter_sync_step = patience or 1
    trainer._build_replay_buffer()
    assert attached == [(True, patience)]


BALANCED = "+algorithm.daro.balanced_sampling=True"
FILTER = ["algorithm.filter_groups.enable=True", "algorithm.filter_groups.metric=acc"]


@pytest.mark.parametrize("more", [FILTER, ["trainer.v1.trainer_mode=separate_async", *FILTER]])
def test_balanced_sampling_where_there_is_something_to_choose_from(more):
    assert job(BALANCED, *more).algorithm.daro.balanced_sampling is True
    assert job(*more).algorithm.daro.balanced_sampling is False


REFUSED = {
    "no surplus": ([], "balanced_sampling: got True, expected False, or dynamic sampling"),
    "no filter": (
        ["trainer.v1.trainer_mode=separate_async"],
        "balanced_sampling: got True, .* drops pass rates 0 and 1. Fix: set algorithm.filter_groups.enable=True",
    ),
    "no buffer": (["trainer.use_v1=False", *FILTER], "balanced_sampling: got True, expected False outside"),
    "another sampler": (["trainer.v1.sampler.custom_sampler.path=a.py", *FILTER], "custom_sampler.path: got 'a.py'"),
    "no truth value": ([*FILTER, "algorithm.daro.balanced_sampling=1"], "balanced_sampling: got 1, expected True or"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_balanced_sampling_is_refused_with_what_to_do(case):
    more, expected = REFUSED[case]
    with pytest.raises(DaroConfigError, match=expected):
        job(BALANCED, *more)
