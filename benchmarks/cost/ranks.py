"""verl's own update and DARO's, on one engine and one batch, for the rank scripts of this benchmark."""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any

import torch.distributed as dist
from tensordict import TensorDict
from verl.utils import tensordict_utils as tu
from verl.workers.config import PolicyLossConfig
from verl.workers.engine_workers import TrainingWorker

from daro_verl.workers.actor_worker import DaroActorWorker
from examples.quickstart.sums.tokenizer_model import build_model, build_tokenizer
from tests.ranks.batch import NUM_ROLLOUTS
from tests.ranks.workers import make_worker, part_of_rank


def quickstart_model(num_layers: int = 3) -> str:
    """Folder of the quickstart's model with random weights, written by rank 0. Stages must divide the layers."""
    folder: list = [tempfile.mkdtemp() if dist.get_rank() == 0 else None]
    if dist.get_rank() == 0:
        tokenizer = build_tokenizer()
        tokenizer.save_pretrained(folder[0])
        build_model(tokenizer, num_layers=num_layers).save_pretrained(folder[0])
    dist.broadcast_object_list(folder, src=0)
    return folder[0]


def build_worker(
    model: str,
    tp: int = 1,
    pp: int = 1,
    dtype: str = "bfloat16",
    rows: int = 1,
    num_rollouts: int = NUM_ROLLOUTS,
    lr: float = 0.0,
) -> DaroActorWorker:
    """DARO's worker, with its default options, on a Megatron engine whose model does not move (learning rate 0).

    Args:
        rows: of a micro-batch; 0 splits by tokens instead, at most 64 in each.
        num_rollouts: ``G`` of the difficulty weights, a multiple of that of the batches, whose pass rates stay.
        lr: the model's learning rate, where it shall move.
    """
    args = argparse.Namespace(engine="megatron", model=model, tp=tp, pp=pp, dtype=dtype, lr=lr, micro_batch_size=rows)
    daro = {"options": {}, "num_rollouts": num_rollouts, "token_budget": 1, "policy_loss": "vanilla"}
    return make_worker(partial(DaroActorWorker, daro=daro), args, PolicyLossConfig())


def updates(worker: DaroActorWorker) -> dict[str, Callable[[TensorDict], Any]]:
    """``{name: update(data)}``: verl's ``train_batch`` with its ``vanilla`` loss, which is GRPO's, and DARO's.

    Outside its own ``train_batch`` DARO's worker calls verl's loss as it is.
    """
    return {"grpo": partial(TrainingWorker.train_batch, worker), "daro": worker.train_batch}


def batch_of_rank(worker: DaroActorWorker, rows: dict, num_micro_batches: int) -> TensorDict:
    """This rank's part of a mini-batch, to be split into so many micro-batches."""
    data = part_of_rank(rows, worker.engine)
    size = len(data) // num_micro_batches
    tu.assign_non_tensor(data, use_dynamic_bsz=False, micro_batch_size_per_gpu=size)
    return data
