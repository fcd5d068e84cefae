"""Ray actors that stand in for what the exchange meets in a job: servers, an actor worker group, verl's manager."""

from collections.abc import Callable
from types import SimpleNamespace

import ray
import torch
from verl.utils.ray_utils import auto_await

from daro_verl.rollout.exchange import with_exchange
from daro_verl.rollout.snapshot import Snapshot, snapshot_of
from daro_verl.workers.difficulty_weights import DifficultyWeights
from tests.exchange.stand_in_server import StandInServer


@ray.remote(num_cpus=0)
class StandInActor:
    """An actor worker whose difficulty weights move once per :meth:`train`."""

    def __init__(self, num_rollouts: int = 8) -> None:
        self.start_over(num_rollouts)

    def start_over(self, num_rollouts: int = 8) -> None:
        """As new: the process of an actor imports torch and verl, so tests share one."""
        self.weights = DifficultyWeights(num_rollouts)
        self.last_step = None
        self.outcomes: list[dict[str, float]] = []

    def train(self) -> list[float]:
        G, version = self.weights.num_rollouts, self.weights.version
        self.last_step = torch.linspace(0.1, 0.7, G - 1) / (version + 1), torch.arange(G + 1) + 1.0
        self.weights.step(self.last_step[0], torch.ones(G - 1).bool())
        return self.weights.weights().tolist()

    def spoil(self) -> None:
        """From here to the next :meth:`train` there is no whole snapshot: token counts below zero."""
        self.last_step = torch.zeros(self.weights.num_rollouts - 1), -torch.ones(self.weights.num_rollouts + 1)

    def difficulty_snapshot(self, global_step: int, exchange: dict[str, float]) -> bytes:
        self.outcomes.append(exchange)
        return snapshot_of(self.weights, self.last_step, global_step).to_bytes()

    def told(self) -> list[dict[str, float]]:
        """What became of the messages, one entry a sync; without the common part of the names."""
        return [{name.removeprefix("daro/exchange/"): n for name, n in given.items()} for given in self.outcomes]


@with_exchange
class Job:
    """verl's manager of the weight sync, without a model: its servers are told the label."""

    def __init__(self, num_servers: int, num_rollouts: int = 8, actor: ray.actor.ActorHandle | None = None) -> None:
        self.actor = actor or StandInActor.remote(num_rollouts)
        self.actor_wg = SimpleNamespace(
            difficulty_snapshot=lambda *given: ray.get(self.actor.difficulty_snapshot.remote(*given))
        )
        self.replicas = []
        self.after_model: Callable[[], None] = lambda: None
        """What happens once the model is in place and the snapshot has not been asked for."""
        for _ in range(num_servers):
            self.add_replica()

    def add_replica(self) -> ray.actor.ActorHandle:
        server = StandInServer.remote(len(self.replicas))
        self.replicas.append(SimpleNamespace(replica_rank=len(self.replicas), server_handle=server))
        return server

    @property
    def servers(self) -> list[ray.actor.ActorHandle]:
        return [replica.server_handle for replica in self.replicas]

    @auto_await
    async def update_weights(self, global_steps: int | None = None) -> dict:
        if global_steps is not None:
            ray.get([server.set_global_steps.remote(global_steps) for server in self.servers])
        self.after_model()
        return {}

    def shown(self) -> list[Snapshot | None]:
        return ray.get([server.shown.remote() for server in self.servers])
