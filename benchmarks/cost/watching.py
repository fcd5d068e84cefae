"""What a piece of training asks of others: collectives and their size, and reads of a tensor's value by Python.

Both are seen where torch dispatches operations, below every Python wrapper: whoever calls them, they count.
"""

from collections import Counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

READS = ("aten::_local_scalar_dense", "aten::equal", "aten::nonzero", "aten::masked_select", "aten::is_nonzero")
"""Operations whose result Python or a shape waits for: on a GPU the host stops until the device is there."""


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
        elif func._schema.name in READS:
            self.reads[name] += 1
        return func(*args, **kwargs or {})

    @property
    def num_reads(self) -> int:
        return sum(self.reads.values())


def _num_bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()
