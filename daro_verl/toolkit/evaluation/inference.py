"""The inference engines: vLLM and SGLang behind two calls."""

from pathlib import Path
from typing import Any, NamedTuple, Protocol

from daro_verl.toolkit.evaluation.settings import Settings

BACKENDS = ("vllm", "sglang")


class Generated(NamedTuple):
    """One response: its tokens, with the one that ends it, and ``stop`` or ``length``."""

    tokens: list[int]
    finish: str


class Engine(Protocol):
    """Many calls at once; the engine batches them, and computes a prompt that several share once."""

    version: str
    """Of the engine's package."""

    async def generate(self, name: str, prompt: list[int], seed: int, max_tokens: int) -> Generated:
        """One response, drawn with random numbers of ``seed`` alone; ``name`` is no other call's."""

    def shutdown(self) -> None:
        """End its processes."""


class Resources(NamedTuple):
    """What does not change the figures.

    ``tp``: GPUs that share one copy of the weights. ``dp``: copies, each with its part of the rows. ``memory``: share
    of a GPU. ``extra``: arguments of the engine's own, which win.
    """

    tp: int
    dp: int
    memory: float
    extra: dict[str, Any]


def start_engine(model: Path, settings: Settings, max_model_tokens: int, resources: Resources) -> Engine:
    """The settings' engine; call it in the event loop that will use it.

    Raises:
        DaroConfigError: the engine is not installed.
    """
    if settings.backend == "sglang":
        from daro_verl.toolkit.evaluation.sglang_engine import SGLangEngine

        return SGLangEngine(model, settings, max_model_tokens, resources)
    from daro_verl.toolkit.evaluation.vllm_engine import VLLMEngine

    return VLLMEngine(model, settings, max_model_tokens, resources)
