"""A Ray actor that stands in for a rollout server. Imports nothing heavy: the benchmark starts 64 of them."""

import asyncio

import ray

from daro_verl.rollout.snapshot import Snapshot
from daro_verl.rollout.store import Receipt, SnapshotStore


@ray.remote(num_cpus=0)
class StandInServer:
    """Keeps snapshots as a rollout server does, after a delay that can be set."""

    def __init__(self, rank: int = 0) -> None:
        self.store, self.delay = SnapshotStore(f"rollout server {rank}"), 0.0

    async def set_global_steps(self, global_steps: int) -> None:
        self.store.serve(global_steps)

    async def sleep(self) -> None:
        self.store.serve(None)

    async def set_delay(self, seconds: float) -> None:
        self.delay = seconds

    async def receive_difficulty(self, message: bytes) -> Receipt:
        if self.delay:
            await asyncio.sleep(self.delay)
        return self.store.receive(message)

    async def label(self) -> int | None:
        return self.store.global_step

    async def shown(self) -> Snapshot | None:
        return self.store.snapshot
