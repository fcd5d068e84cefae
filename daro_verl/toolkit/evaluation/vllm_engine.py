"""vLLM (0.24 to 0.28, ``AsyncLLM``), the engine of verl's own rollout servers.

Each request has its own seed. So its random numbers do not depend on the copy of the model that answers it.
"""

import os
from pathlib import Path
from typing import Any

import verl  # noqa: F401  (loads the plugin, and with it the CPU platform where that is asked for)

from daro_verl.errors import DaroConfigError
from daro_verl.platform import requested
from daro_verl.toolkit.evaluation.inference import Generated, Resources
from daro_verl.toolkit.evaluation.settings import Settings


class VLLMEngine:
    """The vLLM engine. vLLM itself sends each request to the copy of the model that is least busy."""

    def __init__(self, model: Path, settings: Settings, max_model_tokens: int, resources: Resources) -> None:
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")  # the table goes to standard output
        try:
            import vllm
            from vllm.engine.arg_utils import AsyncEngineArgs
            from vllm.v1.engine.async_llm import AsyncLLM
        except ImportError as error:
            fix = "sync verl with vllm (docs/install.md), or set INFER_BACKEND=sglang"
            raise DaroConfigError("--backend", got="vllm", expected="an installed vLLM", fix=fix) from error
        arguments: dict[str, Any] = {
            "model": str(model),
            "dtype": settings.dtype,
            "max_model_len": max_model_tokens,
            "tensor_parallel_size": resources.tp,
            "data_parallel_size": resources.dp,
            "gpu_memory_utilization": resources.memory,
            "enforce_eager": requested(),  # the CPU platform has no CUDA graphs
            # After a part of a prompt, vLLM sets the request's random numbers back, which torch can do on CUDA only.
            "enable_chunked_prefill": not requested(),
            "disable_log_stats": True,
        }
        self._sampling: dict[str, Any] = {
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "top_k": settings.top_k,
        }
        self.version: str = vllm.__version__
        self._engine = AsyncLLM.from_engine_args(AsyncEngineArgs(**(arguments | resources.extra)))

    async def generate(self, name: str, prompt: list[int], seed: int, max_tokens: int) -> Generated:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        sampling = SamplingParams(
            seed=seed,
            max_tokens=max_tokens,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
            **self._sampling,
        )
        outputs = [output async for output in self._engine.generate({"prompt_token_ids": prompt}, sampling, name)]
        (found,) = outputs[-1].outputs
        return Generated(list(found.token_ids), str(found.finish_reason))

    def shutdown(self) -> None:
        self._engine.shutdown()
