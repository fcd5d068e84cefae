"""Tags come before verl calls a prompt finished, also where sessions fail; TransferQueue and model are stand-ins."""

import asyncio
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf
from verl.experimental.agent_loop import AgentLoopWorker
from verl.trainer.ppo.v1 import agent_loop_tq

from daro_verl.rollout.agent_loop import DifficultyAgentLoopWorker


class Queue:
    """What was put into TransferQueue, in order."""

    def __init__(self) -> None:
        self.events: list[tuple[list[str], list[dict]]] = []

    async def async_kv_put(self, key: str, partition_id: str, tag: dict) -> None:
        self.events.append(([key], [tag]))

    async def async_kv_batch_put(self, keys: list[str], partition_id: str, tags: list[dict]) -> None:
        self.events.append((keys, tags))


def events_of(rewards: list[float | None], monkeypatch, validate: bool = False) -> list[tuple[list[str], list[dict]]]:
    """Run a prompt whose sessions get these rewards; None is a session that fails."""

    async def session(self, sampling_params, trajectory, *, session_id: int, **kwargs) -> None:
        await asyncio.sleep(0.01 * (len(rewards) - session_id))  # the first session ends last
        if rewards[session_id] is None:
            raise RuntimeError("no answer")
        output = SimpleNamespace(
            reward_score=rewards[session_id], response_mask=[1], extra_fields={"daro_weight_version": 4}
        )
        await self._agent_loop_postprocess(output, trajectory["validate"], session_id=session_id, **kwargs)

    async def nothing(*_, **__) -> None:
        return None

    queue = Queue()
    monkeypatch.setattr(agent_loop_tq, "tq", queue)
    monkeypatch.setattr("daro_verl.rollout.agent_loop.tq", queue)
    monkeypatch.setattr(AgentLoopWorker, "_run_agent_loop", session)
    monkeypatch.setattr(agent_loop_tq.AgentLoopWorkerTQ.__ray_actor_class__, "_agent_loop_postprocess", nothing)
    worker = object.__new__(DifficultyAgentLoopWorker)
    rollout = {"n": len(rewards), "val_kwargs": {"n": len(rewards)}}
    worker.config = OmegaConf.create(
        {"actor_rollout_ref": {"rollout": rollout}, "algorithm": {"daro": {"success_threshold": 0.5}}}
    )
    worker._groups = {}
    asyncio.run(worker._run_prompt({"uid": "u"}, {}, {"validate": validate}))
    assert worker._groups == {}
    return queue.events


def test_all_trajectories_get_the_pass_rate_once_the_last_session_has_ended(monkeypatch):
    running, (keys, tags), finished = events_of([1.0, 0.0, 0.0, 1.0], monkeypatch)
    assert running == (["u"], [{"status": "running"}]) and finished == (["u"], [{"status": "finished"}])
    assert sorted(keys) == [f"u_{session}_0" for session in range(4)]
    assert all(tag == {"daro_weight_version": 4, "daro_pass_rate": 0.5, "daro_num_responses": 4} for tag in tags)


@pytest.mark.parametrize("failed", [0, 2])
def test_a_session_that_fails_does_not_count(failed, monkeypatch):
    rewards = [1.0, 1.0, 0.0]
    rewards[failed] = None
    _, (keys, tags), finished = events_of(rewards, monkeypatch)
    assert finished == (["u"], [{"status": "failure"}]) and len(keys) == 2
    rate = 0.5 if failed == 0 else 1.0
    assert all(tag["daro_pass_rate"] == rate and tag["daro_num_responses"] == 2 for tag in tags)


def test_where_every_session_fails_there_is_nothing_to_tag(monkeypatch):
    assert [keys for keys, _ in events_of([None, None], monkeypatch)] == [["u"], ["u"]]


def test_validation_is_left_alone(monkeypatch):
    assert [keys for keys, _ in events_of([1.0, 0.0], monkeypatch, validate=True)] == [["u"], ["u"]]
