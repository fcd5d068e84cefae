"""Obstacle: Megatron-core asks ``torch.cuda`` for its device, its seeds and its tensors.

Needed by megatron-core 0.16.1 throughout ``tensor_parallel``, ``optimizer``, ``distributed`` and
``pipeline_parallel``. Not needed once Megatron-core takes its device from its configuration.
"""

import threading

import torch
from torch.overrides import TorchFunctionMode

_entered = threading.local()
_patched = False


class CudaAsCpu(TorchFunctionMode):
    """Run calls that name a CUDA device on the CPU, and let tensors say that they are CUDA tensors.

    The latter because Megatron's optimizers tell 16-bit parameters from 32-bit ones by the string
    ``torch.cuda.FloatTensor``.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        args = tuple(_cpu_if_cuda(arg) for arg in args)
        kwargs = {name: _cpu_if_cuda(arg) for name, arg in (kwargs or {}).items()}
        result = func(*args, **kwargs)
        if func is torch.Tensor.type and isinstance(result, str):
            return result.replace("torch.", "torch.cuda.", 1)
        return result


def stand_in() -> None:
    """Replace CUDA in this process, and name mapping in the calling thread (torch keeps function modes by thread)."""
    if not _patched:
        _patch_process()
    if not hasattr(_entered, "mode"):
        _entered.mode = CudaAsCpu()
        _entered.mode.__enter__()


def _patch_process() -> None:
    """Replace the calls that CudaAsCpu cannot see. ``torch.cuda.is_available()`` goes on telling the truth."""
    global _patched
    _patched = True
    torch.cuda.current_device = lambda: torch.device("cpu")
    torch.cuda.synchronize = lambda *args, **kwargs: None
    torch.cuda.manual_seed = torch.manual_seed
    torch.cuda.get_rng_state = lambda *args, **kwargs: torch.get_rng_state()
    torch.cuda.set_rng_state = lambda state, *args, **kwargs: torch.set_rng_state(state)
    torch.Tensor.pin_memory = lambda tensor, *args, **kwargs: tensor
    torch.Tensor.cuda = lambda tensor, *args, **kwargs: tensor
    torch.nn.Module.cuda = lambda module, *args, **kwargs: module


def _cpu_if_cuda(arg):
    if isinstance(arg, str | torch.device) and str(arg).split(":")[0] == "cuda":
        return torch.device("cpu")
    return arg
