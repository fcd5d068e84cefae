"""Count the collectives of a piece of training, with their size, and the reads of a tensor's value by Python.

Both are counted where torch dispatches operations, below every Python wrapper. So every caller counts. Reads are a
lower bound: ``tolist()``, ``numpy()`` and ``cpu()`` of a tensor on the CPU dispatch nothing. On a GPU they copy, and
every copy from the device counts.
"""

from collections import Counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

READS = (
    *("_local_scalar_dense", "equal", "is_nonzero", "nonzero", "masked_select", "bincount"),
    *("_unique2", "unique_dim", "unique_consecutive"),
)
"""Operations whose result Python or a shape waits for: on a GPU the host stops until the device is there."""
INDEXING = ("index", "index_put", "index_put_", "_index_put_impl_")
"""The same where an index is a mask, whose ones must be found first."""


class Watch(TorchDispatchMode):
    """Counts while it is entered.

    Attributes:
        collectives: by kind (``all_reduce``, ``broadcast``, ...) the sizes in bytes of each, in order.
        reads: by operation, how often a tensor's value was read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.collectives: dict[str, list[int]] = {}
        self.reads: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        namespace, _, name = func._schema.name.partition("::")
        if namespace == "c10d" and not name.startswith(("wait", "monitored")):
            tensors = [leaf for leaf in tree_leaves(args[0]) if isinstance(leaf, torch.Tensor)]
            self.collectives.setdefault(name.rstrip("_"), []).append(sum(map(_num_bytes, tensors)))
        elif _reads(name, args, kwargs or {}):
            self.reads[name] += 1
        return func(*args, **kwargs or {})

    @property
    def num_reads(self) -> int:
        return sum(self.reads.values())


def _reads(name: str, args: tuple, kwargs: dict) -> bool:
    if name in INDEXING:
        return any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1])
    if name == "repeat_interleave":
        return kwargs.get("output_size") is None
    if name == "_to_copy":
        return args[0].is_cuda and torch.device(kwargs.get("device") or args[0].device).type == "cpu"
    if name == "copy_":
        return args[1].is_cuda and not args[0].is_cuda
    return name in READS


def _num_bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()
