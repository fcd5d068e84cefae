"""A process that Megatron's checkpoint writer starts and that saving in the foreground does not need."""

import os
import queue
from types import ModuleType
from typing import Any


class ResultsOfThisProcess(queue.Queue):
    """Takes the results of writing from the process that made it, and from no other."""

    def __init__(self) -> None:
        super().__init__()
        self._owner = os.getpid()

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if os.getpid() != self._owner:
            raise RuntimeError(
                "checkpoint.async_save: got True, expected False on the CPU platform, where the writer's results stay "
                "in the training process. Leave checkpoint.async_save at False."
            )
        super().put(item, block, timeout)


def keep_results_in_this_process(filesystem_async: ModuleType) -> None:
    """Hand on the results of writing a checkpoint without a process of their own.

    ``FileSystemWriterAsync`` (megatron-core 0.16.1) starts a manager process at the first save, by ``spawn``, which
    imports torch anew: three seconds of CPU time on each rank. It is for saving in the background; verl saves in the
    foreground unless told otherwise. Not needed once Megatron starts it for the background only.
    """
    results = ResultsOfThisProcess()
    filesystem_async._get_write_results_queue = lambda: results
