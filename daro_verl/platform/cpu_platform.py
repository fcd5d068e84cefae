"""The CPU as a verl platform (``verl.plugin.platform``, verl 0.9.1)."""

# mypy: disable-error-code="override"
# The types that verl declares differ from the types that it uses.

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
from verl.plugin.platform import PlatformBase


class CpuDeviceModule(ModuleType):
    """A ``torch.<device>`` module as verl expects it, for one CPU device that reports no memory of its own.

    Everything that is not defined here comes from ``torch.cpu``.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(torch.cpu, name)

    def _nothing(self, *args: Any, **kwargs: Any) -> None:
        """Accelerator upkeep that a CPU does not need."""

    def _zero(self, *args: Any, **kwargs: Any) -> int:
        return 0

    empty_cache = ipc_collect = set_device = synchronize = reset_peak_memory_stats = _nothing
    memory_allocated = memory_reserved = max_memory_allocated = max_memory_reserved = _zero

    def mem_get_info(self, *args: Any) -> tuple[int, int]:
        """Return ``(free, total)`` bytes of device memory."""
        return 0, 0

    def get_device_name(self, *args: Any) -> str:
        return "CPU"

    def current_device(self) -> torch.device:
        return torch.device("cpu")

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    manual_seed_all = manual_seed

    def get_rng_state(self, *args: Any) -> torch.Tensor:
        return torch.get_rng_state()

    def set_rng_state(self, state: torch.Tensor, *args: Any) -> None:
        torch.set_rng_state(state)


class PlatformCPU(PlatformBase):
    """One CPU device per process, gloo between processes.

    Ray schedules the processes by its resource ``GPU``, because verl counts only that one when it checks a resource
    pool. Declare as many as there are ranks (``ray_kwargs.ray_init.num_gpus``).
    """

    device_name = "cpu"
    vendor_name = "cpu"
    device_module = CpuDeviceModule("verl_cpu_device")

    def is_available(self) -> bool:
        return True

    def current_device(self) -> torch.device:
        """Return the device itself. verl passes it to ``Tensor.to``, where the index 0 would mean ``cuda:0``."""
        return torch.device("cpu")

    def device_count(self) -> int:
        return 1

    def set_device(self, device_index: int) -> None:
        pass

    def synchronize(self, device_index: int | None = None) -> None:
        pass

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    def manual_seed_all(self, seed: int) -> None:
        torch.manual_seed(seed)

    def set_allocator_settings(self, settings: str) -> None:
        pass

    def empty_cache(self) -> None:
        pass

    def get_device_capability(self, device_index: int = 0) -> tuple[int | None, int | None]:
        return None, None

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "CUDA_VISIBLE_DEVICES"

    @contextmanager
    def nvtx_range(self, msg: str) -> Iterator[None]:
        yield

    def profiler_start(self) -> None:
        pass

    def profiler_stop(self) -> None:
        pass

    def ray_resource_name(self) -> str:
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        return ["RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES"]

    def is_ipc_supported(self) -> bool:
        """Return False, because weights go to the rollout servers through shared memory."""
        return False

    def cudart(self) -> None:
        return None
