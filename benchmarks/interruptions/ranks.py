"""The job's two ranks. Each holds a worker. Rank 0 gives orders to all. Stands in for verl's Ray worker group."""

from typing import Any

import torch
import torch.distributed as dist

from benchmarks.interruptions.state import state_of
from daro_verl.workers.actor_worker import DaroActorWorker
from tests.ranks.batch import make_mini_batch
from tests.ranks.workers import part_of_rank


class Rank:
    """What one rank can be asked to do."""

    def __init__(self, worker: DaroActorWorker) -> None:
        self.worker = worker

    def train(self, item: int) -> None:
        """One optimizer step on the mini-batch that follows from ``item``."""
        rows = make_mini_batch(torch.Generator().manual_seed(item))
        self.worker.train_batch(part_of_rank(rows, self.worker.engine))

    def state(self) -> dict[str, Any]:
        return state_of(self.worker)

    def save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        self.worker.save_checkpoint(*args, **kwargs)

    def load_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        self.worker.load_checkpoint(*args, **kwargs)


class RankGroup:
    """On rank 0: a call on all ranks, with the list of their answers."""

    def __init__(self, rank: Rank) -> None:
        self._rank = rank

    def call(self, name: str, *args: Any, **kwargs: Any) -> list[Any]:
        dist.broadcast_object_list([(name, args, kwargs)], src=0)
        answers: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(answers, getattr(self._rank, name)(*args, **kwargs))
        return answers

    def save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        self.call("save_checkpoint", *args, **kwargs)

    def load_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        self.call("load_checkpoint", *args, **kwargs)

    def stop(self) -> None:
        dist.broadcast_object_list([None], src=0)


def serve(rank: Rank) -> None:
    """On the other ranks: do what rank 0 asks until it stops."""
    while True:
        request: list[Any] = [None]
        dist.broadcast_object_list(request, src=0)
        if request[0] is None:
            return
        name, args, kwargs = request[0]
        dist.all_gather_object([None] * dist.get_world_size(), getattr(rank, name)(*args, **kwargs))
