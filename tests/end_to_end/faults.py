"""Faults in the processes of a real job, each once. verl imports this everywhere (``VERL_USE_EXTERNAL_MODULES``).

By the step whose model is synchronised: the server's answer is late (2), the actor has no whole snapshot (4), and the
server dies between the sync and the push (LAST). Nothing but these two methods is touched.
"""

import asyncio
import os
from typing import Any

import wrapt

LATE, NO_SNAPSHOT, LAST = 2, 4, 5


@wrapt.when_imported("daro_verl.rollout.server")
def disturb_the_server(module: Any) -> None:
    receive = module.DifficultyServer.receive_difficulty

    async def receive_difficulty(self: Any, message: bytes) -> Any:
        from daro_verl.errors import DaroSnapshotError
        from daro_verl.rollout.snapshot import Snapshot

        try:
            step = Snapshot.from_bytes(message).global_step
        except DaroSnapshotError:
            step = None
        if step == LATE:
            await asyncio.sleep(60)  # longer than the job
        if step == LAST:
            die()
        return await receive(self, message)

    module.DifficultyServer.receive_difficulty = receive_difficulty


@wrapt.when_imported("daro_verl.workers.actor_worker")
def disturb_the_actor(module: Any) -> None:
    snapshot = module.DaroActorWorker.difficulty_snapshot

    def difficulty_snapshot(self: Any, global_step: int, exchange: dict[str, float]) -> bytes:
        whole = snapshot(self, global_step, exchange)
        return whole[:-1] if global_step == NO_SNAPSHOT else whole

    module.DaroActorWorker.difficulty_snapshot = difficulty_snapshot


def die() -> None:
    """End this process and the engine that it started, as a kill would."""
    import psutil

    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(1)
