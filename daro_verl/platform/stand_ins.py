"""Stand-ins for modules that SGLang imports and does not need on a CPU. You can import their names, but not call them.

``sgl_kernel`` holds CUDA kernels, and its library needs CUDA. ``torchvision`` prepares images. Beside a CPU build of
torch, the builds of package registries fail to import (``operator torchvision::nms does not exist``). The rest of both
packages stays missing, and SGLang and transformers can handle that.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NoReturn

PACKAGES = ("sgl_kernel", "torchvision")
MODULES = ("sgl_kernel.kvcacheio", "torchvision.io", "torchvision.transforms", "torchvision.transforms.functional")


class StandInFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds :data:`PACKAGES` and :data:`MODULES` once SGLang is imported, after all other finders."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if "sglang" not in sys.modules or fullname not in (*PACKAGES, *MODULES):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return StandIn(spec.name, __doc__) if spec.name in MODULES else ModuleType(spec.name, __doc__)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing; see :class:`StandIn`."""


class StandIn(ModuleType):
    """A module whose attributes are classes that refuse to be called."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(f"{self.__name__}.{name}")
        return type(name, (_Refusing,), {"__module__": self.__name__})


class _Refusing:
    def __new__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(
            f"{cls.__module__}.{cls.__name__}: got a call, expected none on the CPU platform, which has a stand-in for "
            f"{cls.__module__.split('.')[0]}. Run this model or option on a GPU, without VERL_PLATFORM=cpu."
        )


def install() -> None:
    """Put the finder behind all others."""
    if not any(isinstance(finder, StandInFinder) for finder in sys.meta_path):
        sys.meta_path.append(StandInFinder())


def is_stand_in(package: str) -> bool:
    """Whether ``import package`` gives a stand-in."""
    if package not in PACKAGES:
        return False
    spec = importlib.util.find_spec(package)
    return spec is not None and isinstance(spec.loader, StandInFinder)
