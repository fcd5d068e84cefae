"""SGLang (0.5.12, the version that verl 0.9.1 pins).

Without ``enable_deterministic_inference``, SGLang ignores a request's ``sampling_seed``. The option also makes a
response independent of the rest of its batch. In return, attention is by FlashAttention 3, FlashInfer or Triton,
sampling is in PyTorch, and matrix products have a fixed order.
"""

from pathlib import Path
from typing import Any

import verl  # noqa: F401  (loads the plugin, and with it the CPU platform where that is asked for)

from daro_verl.errors import DaroConfigError
from daro_verl.toolkit.evaluation.inference import Generated, Resources
from daro_verl.toolkit.evaluation.settings import Settings
from daro_verl.toolkit.models.shape import read_shape

DETERMINISTIC = "enable_deterministic_inference"
SPARE = 2  # positions of its context that SGLang gives to no response: max_new_tokens <= context - prompt - 2


class SGLangEngine:
    """The SGLang engine. SGLang itself distributes requests over the copies, round robin."""

    def __init__(self, model: Path, settings: Settings, max_model_tokens: int, resources: Resources) -> None:
        try:
            import sglang
        except ImportError as error:
            fix = "sync verl with sglang (docs/install.md), or set INFER_BACKEND=vllm"
            raise DaroConfigError("--backend", got="sglang", expected="an installed SGLang", fix=fix) from error
        if not resources.extra.get(DETERMINISTIC, True):
            fix = "remove it, or set INFER_BACKEND=vllm"
            expected = "true, because else SGLang ignores a response's own seed"
            raise DaroConfigError(f"--engine-args {DETERMINISTIC}", got=False, expected=expected, fix=fix)
        arguments = {
            "model_path": str(model),
            "dtype": settings.dtype,
            DETERMINISTIC: True,
            "context_length": min(max_model_tokens + SPARE, read_shape(model).positions),
            "tp_size": resources.tp,
            "dp_size": resources.dp,
            "mem_fraction_static": resources.memory,
            "skip_tokenizer_init": True,  # tokens in, tokens out
            "log_level": "warning",
        }
        self._sampling = {"temperature": settings.temperature, "top_p": settings.top_p, "top_k": settings.top_k}
        self.version: str = sglang.__version__
        self._engine = sglang.Engine(**(arguments | resources.extra))

    async def generate(self, name: str, prompt: list[int], seed: int, max_tokens: int) -> Generated:
        sampling = self._sampling | {"sampling_seed": seed, "max_new_tokens": max_tokens}
        output: Any = await self._engine.async_generate(input_ids=prompt, sampling_params=sampling)
        return Generated(list(output["output_ids"]), output["meta_info"]["finish_reason"]["type"])

    def shutdown(self) -> None:
        self._engine.shutdown()
