"""Obstacles in SGLang 0.5.12 without CUDA, and in verl's transfer of weights to it.

SGLang runs on a CPU with the arguments of :mod:`rollout_overrides`; these are the places where it asks for CUDA all the
same. Two of its imports have stand-ins (:mod:`stand_ins`).
"""

from types import ModuleType
from typing import Any

import wrapt

from . import stand_ins


def do_without_torchvision(import_utils: ModuleType) -> None:
    """Let transformers go on without torchvision where SGLang has got a stand-in for it (:mod:`stand_ins`).

    Not needed once ``sglang.srt.utils.common`` imports torchvision for images only.
    """

    def is_available(wrapped, instance, args, kwargs):
        name = (*args, *kwargs.values())[0]
        return (False, "N/A") if stand_ins.is_stand_in(name) else wrapped(*args, **kwargs)

    wrapt.wrap_function_wrapper(import_utils, "_is_package_available", is_available)


def register_no_image_processors(utils: ModuleType) -> None:
    """Leave SGLang's image processors out: to register one, transformers asks for torchvision.

    Not needed with torchvision, see :func:`do_without_torchvision`.
    """
    utils.register_image_processor = lambda config, image_processor: None


def do_not_pin_memory(logits_processor: ModuleType) -> None:
    """Drop ``pin_memory=True`` in the computation of prompt log-probabilities, the one module that asks for it.

    torch without an accelerator has no pinned memory. That module only: a ``torch.tensor`` replaced for everybody
    breaks code under ``torch.device("meta")``. Not needed once SGLang asks for its device first.
    """
    logits_processor.torch = _TorchWithoutPinnedMemory(logits_processor.torch)


class _TorchWithoutPinnedMemory:
    """torch, with a ``tensor`` that leaves out ``pin_memory``."""

    def __init__(self, torch: ModuleType) -> None:
        self._torch = torch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._torch, name)

    def tensor(self, *args: Any, pin_memory: bool = False, **kwargs: Any) -> Any:
        return self._torch.tensor(*args, **kwargs)


def leave_pickled_tensors_alone(patch_torch: ModuleType) -> None:
    """Keep torch's own pickling of tensors between processes.

    ``monkey_patch_torch_reductions`` renames the CUDA device of every pickled tensor, and finds none in a CPU tensor
    (``IndexError``). Not needed once SGLang patches CUDA tensors only.
    """
    patch_torch.monkey_patch_torch_reductions = lambda: None


def share_tensors_by_name(rollout: ModuleType) -> None:
    """Let processes that do not descend from each other share CPU tensors: training workers and SGLang's scheduler.

    torch's default passes open files, for which both sides need one ``multiprocessing`` key; Ray's actors have none in
    common. Not needed once verl has a transfer to SGLang for platforms without IPC, as it has for vLLM.
    """
    import torch.multiprocessing

    torch.multiprocessing.set_sharing_strategy("file_system")


def start_processes_with_bridges(engine: ModuleType) -> None:
    """Give SGLang's own processes these bridges. They are spawned, and do not import verl, which loads plugins.

    Needed as long as the targets of the processes are looked up in ``sglang.srt.entrypoints.engine``.
    """
    from . import sglang_process

    for name in ("run_scheduler_process", "run_detokenizer_process"):
        target = getattr(sglang_process, name)
        setattr(engine, name, target)
        setattr(engine.Engine, f"{name}_func", staticmethod(target))
