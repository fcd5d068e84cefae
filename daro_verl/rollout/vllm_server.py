"""verl's vLLM server and replica with the difficulty weights."""

from typing import Any

import ray
from verl.workers.rollout.vllm_rollout import vllm_async_server

from daro_verl.rollout.server import DifficultyServer


class DifficultyVLLMServer(DifficultyServer, vllm_async_server.vLLMHttpServer):
    """A server that keeps the difficulty weights of the model that it serves."""

    engine_module = vllm_async_server


class DifficultyVLLMReplica(vllm_async_server.vLLMReplica):
    """A replica of such servers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.server_class = ray.remote(DifficultyVLLMServer)
