"""Wrap a function of verl where it is defined, before other modules import it."""

import functools
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any


def wrap(owner: ModuleType | type, name: str, wrapper: Callable[[Any, tuple, dict], Any]) -> None:
    """Replace ``owner.name`` by ``wrapper(original, args, kwargs)``.

    The replacement is a plain function, not a wrapt proxy. Ray pickles the classes of verl's task runners by value,
    together with the functions that their modules imported. A plain function of the same name pickles as that name. A
    proxy does not pickle.
    """
    original = getattr(owner, name)

    @functools.wraps(original)
    def replacement(*args: Any, **kwargs: Any) -> Any:
        return wrapper(original, args, kwargs)

    setattr(owner, name, replacement)


def arguments(function: Any, args: tuple, kwargs: dict) -> dict[str, Any]:
    """The arguments of ``function`` by name, however the caller passes them."""
    return inspect.signature(function).bind(*args, **kwargs).arguments
