"""A stand-in for an engine's server of verl: what DARO's mixin builds on, with a real HTTP interface and no engine."""

import sys
from types import SimpleNamespace

from fastapi import FastAPI
from prometheus_client import make_asgi_app
from verl.workers.rollout.utils import run_uvicorn

from daro_verl.rollout.server import DifficultyServer


class PlainServer:
    """The methods that both of verl's servers have."""

    def __init__(self, replica_rank: int = 0, node_rank: int = 0) -> None:
        self.replica_rank, self.node_rank = replica_rank, node_rank
        self.global_steps: int | None = None
        self.server_args = SimpleNamespace()

    async def launch_server(self) -> None:
        app = FastAPI()
        app.mount("/metrics", make_asgi_app())
        self._server_port, self._task = await run_uvicorn(app, self.server_args, "127.0.0.1")

    async def get_server_address(self) -> tuple[str, int]:
        return "127.0.0.1", self._server_port

    async def set_global_steps(self, global_steps: int) -> None:
        self.global_steps = global_steps

    async def sleep(self) -> None:
        self.asleep = True

    async def release_kv_cache(self) -> None:
        self.asleep = True


class Server(DifficultyServer, PlainServer):
    """The stand-in with the difficulty weights."""

    engine_module = sys.modules[__name__]
