"""verl's SGLang server and replica with the difficulty weights."""

from typing import Any

import ray
from verl.workers.rollout.sglang_rollout import async_sglang_server

from daro_verl.rollout.server import DifficultyServer


class DifficultySGLangServer(DifficultyServer, async_sglang_server.SGLangHttpServer):
    """A server that keeps the difficulty weights of the model that it serves."""

    engine_module = async_sglang_server


class DifficultySGLangReplica(async_sglang_server.SGLangReplica):
    """A replica of such servers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.server_class = ray.remote(DifficultySGLangServer)
