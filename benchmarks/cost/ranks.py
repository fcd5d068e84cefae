"""verl's own update and DARO's, on one engine and one batch, for the rank scripts of this benchmark."""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any

import torch.distributed as dist
from tensordict import TensorDict
from verl.utils import tensordict_utils as tu
from verl.workers.config import McoreActorConfig
from verl.workers.engine_workers import TrainingWorker
from verl.workers.utils.losses import ppo_loss

from daro_verl.workers.actor_worker import DaroActorWorker
from examples.quickstart.tokenizer_model import build_model, build_tokenizer
from tests.ranks import train_ranks
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
    model: str, tp: int = 1, pp: int = 1, dtype: str = "bfloat16", rows: int = 1, num_rollouts: int = NUM_ROLLOUTS
) -> DaroActorWorker:
    """DARO's worker on a Megatron engine whose model does not move (learning rate 0).

    Args:
        rows: of a micro-batch.
        num_rollouts: ``G`` of the difficulty weights, a multiple of that of the batches, whose pass rates stay.
    """
    args = argparse.Namespace(engine="megatron", model=model, tp=tp, pp=pp, dtype=dtype, lr=0.0, loss="vanilla")
    args.options, args.micro_batch_size = {}, rows
    policy_loss = train_ranks.policy_loss(args)
    policy_loss.daro["num_rollouts"] = num_rollouts
    return make_worker(DaroActorWorker, args, policy_loss)


def updates(worker: DaroActorWorker) -> dict[str, Callable[[TensorDict], Any]]:
    """``{name: update(data)}``: verl's ``train_batch`` with its ``vanilla`` loss, which is GRPO's, and DARO's."""
    actor = McoreActorConfig(strategy="megatron", rollout_n=NUM_ROLLOUTS, ppo_micro_batch_size_per_gpu=1)
    daro_loss, plain_loss = worker.loss_fn, partial(ppo_loss, config=actor)

    def grpo(data: TensorDict) -> Any:
        worker.loss_fn = plain_loss
        return TrainingWorker.train_batch(worker, data)

    def daro(data: TensorDict) -> Any:
        worker.loss_fn = daro_loss
        return worker.train_batch(data)

    return {"grpo": grpo, "daro": daro}


def batch_of_rank(worker: DaroActorWorker, rows: dict, num_micro_batches: int) -> TensorDict:
    """This rank's part of a mini-batch, to be split into so many micro-batches."""
    data = part_of_rank(rows, worker.engine)
    size = len(data) // num_micro_batches
    tu.assign_non_tensor(data, use_dynamic_bsz=False, micro_batch_size_per_gpu=size)
    return data
