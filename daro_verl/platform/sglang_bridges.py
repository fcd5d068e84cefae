"""Obstacles in SGLang 0.5.12 without CUDA, and in verl's transfer of weights to it.

SGLang runs on a CPU with ``SGLANG_ARGUMENTS`` of :mod:`overrides`. In these places it still asks for CUDA. Two of its
imports have stand-ins (:mod:`stand_ins`).
"""

import base64
import io
import pickle
from typing import Any

import wrapt

from daro_verl.platform import stand_ins


def do_without_torchvision(import_utils: Any) -> None:
    """Let transformers go on without torchvision if SGLang has a stand-in for it (:mod:`stand_ins`).

    Not needed once ``sglang.srt.utils.common`` imports torchvision for images only.
    """

    def is_available(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        name = (*args, *kwargs.values())[0]
        return (False, "N/A") if stand_ins.is_stand_in(name) else wrapped(*args, **kwargs)

    wrapt.wrap_function_wrapper(import_utils, "_is_package_available", is_available)


def register_no_image_processors(utils: Any) -> None:
    """Leave out SGLang's image processors, because transformers needs torchvision to register one.

    Not needed with torchvision, see :func:`do_without_torchvision`.
    """
    utils.register_image_processor = lambda config, image_processor: None


def do_not_pin_memory(logits_processor: Any) -> None:
    """Drop ``pin_memory=True`` in the computation of prompt log-probabilities, the only module that asks for it.

    torch without an accelerator has no pinned memory. ``torch.tensor`` is replaced only in that module, because
    replacing it everywhere breaks code under ``torch.device("meta")``. Not needed once SGLang checks its device first.
    """
    logits_processor.torch = _TorchWithoutPinnedMemory(logits_processor.torch)


class _TorchWithoutPinnedMemory:
    """torch, with a ``tensor`` that leaves out ``pin_memory``."""

    def __init__(self, torch: Any) -> None:
        self._torch = torch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._torch, name)

    def tensor(self, *args: Any, pin_memory: bool = False, **kwargs: Any) -> Any:
        return self._torch.tensor(*args, **kwargs)


def allow_seeds_of_requests(server_args: Any) -> None:
    """Allow PyTorch's attention for SGLang's deterministic inference, without which a request has no seed of its own.

    SGLang's list has attention for GPUs only. Not needed once ``torch_native`` is in it.
    """
    server_args.add_deterministic_attention_backend_choices(["torch_native"])


def multiply_without_triton(batch_invariant_ops: Any) -> None:
    """Keep PyTorch's matrix products. Deterministic inference would use Triton's, which a CPU does not have.

    The last bits of a response's logits then depend on its batch.
    """
    batch_invariant_ops.enable_batch_invariant_mode = lambda: None


def draw_without_triton(sampler: Any) -> None:
    """Draw a request's tokens from its own seed in PyTorch. SGLang's hash of seed and position is a Triton kernel."""
    sampler.multinomial_with_seed = _multinomial_with_seed


def _multinomial_with_seed(logprobs: Any, seed: Any, positions: Any) -> Any:
    """A column for each row: ``argmax(log p - log q)``, with exponential noise ``q`` of the row's seed and position."""
    import torch

    noise = torch.empty(logprobs.shape, dtype=torch.float64)
    for row, seed_and_position in zip(noise, zip(seed.tolist(), positions.tolist(), strict=True), strict=True):
        row.exponential_(generator=torch.Generator().manual_seed(hash(seed_and_position)))
    return (logprobs.double() - noise.log_()).argmax(dim=1, keepdim=True)


def send_tensors_by_value(common: Any) -> None:
    """Put the tensors themselves into the messages that SGLang pickles, instead of references to shared memory.

    Training workers and SGLang's scheduler are unrelated processes. torch shares CPU tensors in two ways, and neither
    works here:

    - By open files: both sides need the same ``multiprocessing`` key, and Ray's actors have none in common.
    - By name: a process of torch has one second to answer. On a busy machine it misses that ("Shared memory manager
      connection has timed out"), and the job ends.

    Not needed once verl has a transfer to SGLang for platforms without IPC, as it has for vLLM.
    """
    common.MultiprocessingSerializer.serialize = staticmethod(_serialize)


def _serialize(obj: Any, output_str: bool = False) -> bytes | str:
    """The same as ``MultiprocessingSerializer.serialize``. The same ``deserialize`` reads it."""
    message = io.BytesIO()
    _ByValue(message).dump(obj)
    return base64.b64encode(message.getvalue()).decode() if output_str else message.getvalue()


class _ByValue(pickle.Pickler):
    """Pickles a copy of each tensor. pickle takes a view's whole storage, and Megatron's parameters share a buffer."""

    def reducer_override(self, obj: Any) -> Any:
        import torch

        return obj.detach().clone().__reduce_ex__(2) if isinstance(obj, torch.Tensor) else NotImplemented
