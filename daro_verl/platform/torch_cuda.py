"""Stand-ins for the parts of CUDA that Megatron-core uses. They answer for the CPU.

megatron-core 0.16.1 asks ``torch.cuda`` for its device, its seeds and its tensors throughout ``tensor_parallel``,
``optimizer``, ``distributed`` and ``pipeline_parallel``. Not needed once it takes its device from its configuration.
"""

import functools
import threading
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_entered = threading.local()


class WithoutCuda:
    """Mixin for a Megatron engine: any thread that touches it sees stand-ins for CUDA.

    Engines exist only in training workers, so vLLM's processes keep the real ``torch.cuda``. Ray may build an actor in
    one thread and call its methods in another. So every access checks.
    """

    def __getattribute__(self, name: str) -> Any:
        stand_in()
        return super().__getattribute__(name)


class CudaAsCpu(TorchFunctionMode):
    """Run calls that name a CUDA device on the CPU, and let tensors say that they are CUDA tensors.

    Megatron's optimizers need the second part: they tell 16-bit from 32-bit parameters by the string
    ``torch.cuda.FloatTensor``.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        args = tuple(_cpu_if_cuda(arg) for arg in args)
        kwargs = {name: _cpu_if_cuda(arg) for name, arg in (kwargs or {}).items()}
        result = func(*args, **kwargs)
        if func is torch.Tensor.type and isinstance(result, str):
            return result.replace("torch.", "torch.cuda.", 1)
        return result


def stand_in() -> None:
    """Replace CUDA in this process, and device names in the calling thread (torch keeps function modes per thread)."""
    _patch_process()
    if not hasattr(_entered, "mode"):
        _entered.mode = CudaAsCpu()
        _entered.mode.__enter__()


@functools.cache
def _patch_process() -> None:
    """Replace the calls that CudaAsCpu cannot see. ``torch.cuda.is_available()`` still tells the truth."""
    cuda: Any = torch.cuda
    cuda.current_device = lambda: torch.device("cpu")
    cuda.synchronize = lambda *args, **kwargs: None
    cuda.manual_seed = torch.manual_seed
    cuda.get_rng_state = lambda *args, **kwargs: torch.get_rng_state()
    cuda.set_rng_state = lambda state, *args, **kwargs: torch.set_rng_state(state)
    tensor: Any = torch.Tensor
    tensor.pin_memory = tensor.cuda = lambda self, *args, **kwargs: self
    module: Any = torch.nn.Module
    module.cuda = lambda self, *args, **kwargs: self


def _cpu_if_cuda(arg: Any) -> Any:
    if isinstance(arg, str | torch.device) and str(arg).split(":")[0] == "cuda":
        return torch.device("cpu")
    return arg


def disable_torch_compile(config: Any) -> None:
    """Turn off torch.compile in this process. It asks for the properties of a CUDA device, which no stand-in has.

    torch 2.13 reads ``TORCHDYNAMO_DISABLE`` in ``import transformers``, before verl's plugins run. So setting the
    variable reaches only child processes. Not needed once verl loads plugins before torch.
    """
    config.disable = True
