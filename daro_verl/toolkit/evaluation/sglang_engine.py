"""SGLang (0.5.12, the version that verl 0.9.1 pins)."""

from pathlib import Path
from typing import Any

import verl  # noqa: F401  (loads the plugin, and with it the CPU platform where that is asked for)

from daro_verl.errors import DaroConfigError
from daro_verl.toolkit.evaluation.inference import Generated, Resources
from daro_verl.toolkit.evaluation.settings import Settings
from daro_verl.toolkit.models.shape import read_shape

SPARE = 2  # positions of its context that SGLang gives to no response: max_new_tokens <= context - prompt - 2


class SGLangEngine:
    """Data parallel by SGLang itself, round robin."""

    def __init__(self, model: Path, settings: Settings, max_model_tokens: int, resources: Resources) -> None:
        try:
            import sglang
        except ImportError as error:
            fix = "sync verl with sglang (docs/install.md), or INFER_BACKEND=vllm"
            raise DaroConfigError("--backend", got="sglang", expected="an installed SGLang", fix=fix) from error
        arguments = {
            "model_path": str(model),
            "dtype": settings.dtype,
            "random_seed": settings.seed,
            "context_length": min(max_model_tokens + SPARE, read_shape(model).positions),
            "tp_size": resources.tp,
            "dp_size": resources.dp,
            "mem_fraction_static": resources.memory,
            "skip_tokenizer_init": True,  # tokens in, tokens out
            "log_level": "warning",
        }
        self._sampling = {"temperature": settings.temperature, "top_p": settings.top_p, "top_k": settings.top_k}
        self._engine = sglang.Engine(**(arguments | resources.extra))

    async def generate(self, key: str, prompt: list[int], num_responses: int, max_tokens: int) -> list[Generated]:
        sampling = self._sampling | {"n": num_responses, "max_new_tokens": max_tokens}
        found: Any = await self._engine.async_generate(input_ids=prompt, sampling_params=sampling)
        outputs = found if isinstance(found, list) else [found]
        return [
            Generated(list(output["output_ids"]), output["meta_info"]["finish_reason"]["type"]) for output in outputs
        ]

    def shutdown(self) -> None:
        self._engine.shutdown()
