"""The inference engines: vLLM and SGLang behind two calls."""

from pathlib import Path
from typing import Any, NamedTuple, Protocol

from daro_verl.toolkit.evaluation.settings import Settings

BACKENDS = ("vllm", "sglang")


class Generated(NamedTuple):
    """One response: its tokens, including the last one, and ``stop`` or ``length``."""

    tokens: list[int]
    finish: str


class Engine(Protocol):
    """An engine that takes many calls at once. It batches them, and computes a shared prompt once."""

    version: str
    """Version of the engine's package."""

    async def generate(self, name: str, prompt: list[int], seed: int, max_tokens: int) -> Generated:
        """One response, drawn with random numbers from ``seed`` alone. ``name`` must be unique to the call."""

    def shutdown(self) -> None:
        """End the engine's processes."""


class Resources(NamedTuple):
    """The arguments of the engine that are not among the settings.

    ``tp``: GPUs that share one copy of the weights. ``dp``: copies, each with its part of the rows. ``memory``: share
    of a GPU's memory. ``extra``: the engine's own arguments, which override the others. Those that may change the
    figures are also in the settings.
    """

    tp: int
    dp: int
    memory: float
    extra: dict[str, Any]


def start_engine(model: Path, settings: Settings, max_model_tokens: int, resources: Resources) -> Engine:
    """Start the engine of the settings. Call this in the event loop that will use it.

    Raises:
        DaroConfigError: the engine is not installed.
    """
    if settings.backend == "sglang":
        from daro_verl.toolkit.evaluation.sglang_engine import SGLangEngine

        return SGLangEngine(model, settings, max_model_tokens, resources)
    from daro_verl.toolkit.evaluation.vllm_engine import VLLMEngine

    return VLLMEngine(model, settings, max_model_tokens, resources)
