"""Train DARO's actor worker on verl's Megatron or FSDP2 engine; run by ``torchrun`` with ``VERL_PLATFORM=cpu``.

Every rank trains on its part of the same mini-batches; rank 0 writes, with ``torch.save``, each rank's metrics and
weights after every step, and the model's full gradient (Hugging Face names) of every step.
"""

import argparse
import json
from pathlib import Path

import torch
import torch.distributed as dist
import verl  # noqa: F401  (loads the plugin, and with it the CPU platform)

from daro_verl.config import DaroConfig
from daro_verl.workers.actor_worker import DaroActorWorker
from daro_verl.workers.policy_loss import DaroPolicyLossConfig
from tests.ranks.batch import NUM_ROLLOUTS, make_rows
from tests.ranks.workers import make_worker, part_of_rank


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--engine", choices=["megatron", "fsdp2"], default="megatron")
    parser.add_argument("--tp", type=int, default=1)
    parser.add_argument("--pp", type=int, default=1)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--loss", default="vanilla")
    parser.add_argument("--micro-batch-size", type=int, default=0, help="0: dynamic, at most 64 tokens each")
    parser.add_argument("--options", type=json.loads, default={})
    parser.add_argument("--save", help="folder of a checkpoint written after the last step")
    parser.add_argument("--load", help="folder of a checkpoint read before the first step")
    parser.add_argument("--skip", type=int, default=0, help="mini-batches that an earlier run has seen")
    return parser.parse_args()


def build_worker(args: argparse.Namespace) -> DaroActorWorker:
    options = DaroConfig(**args.options).to_dict()
    daro = {"options": options, "num_rollouts": NUM_ROLLOUTS, "base_loss_mode": args.loss}
    return make_worker(DaroActorWorker, args, DaroPolicyLossConfig(loss_mode="daro", daro=daro))


def full_gradient(worker: DaroActorWorker) -> dict[str, torch.Tensor]:
    """The gradient before the optimizer's step, merged over ranks and named as in the Hugging Face model.

    The bridge exports parameters, so the gradients take their places for the time of an export. With the distributed
    optimizer each data-parallel rank holds one reduced shard of every bucket: they are gathered first.
    """
    module = worker.engine.module
    if isinstance(module, torch.nn.Module):  # FSDP2: sharded tensors that know their whole
        return {name: p.grad.full_tensor().clone() for name, p in module.named_parameters()}
    for chunk in module:
        for buffer in chunk.buffers:
            for bucket in buffer.buckets:
                shards = bucket.grad_data.view(buffer.data_parallel_world_size, -1)
                own = shards[dist.get_rank(buffer.data_parallel_group)].clone()
                dist.all_gather_into_tensor(bucket.grad_data, own, group=buffer.data_parallel_group)
    parameters = [p for chunk in module for p in chunk.parameters()]
    kept = [p.data.clone() for p in parameters]
    for p in parameters:
        p.data.copy_(p.main_grad)
    exported = {name: value.clone() for name, value in worker.engine.get_per_tensor_param()[0]}
    for p, value in zip(parameters, kept, strict=True):
        p.data.copy_(value)
    return exported


def main() -> None:
    args = parse()
    worker = build_worker(args)
    if args.load:
        worker.load_checkpoint(args.load)
    gradients: list[dict[str, torch.Tensor]] = []
    optimizer_step = worker.engine.optimizer_step

    def step_and_keep_the_gradient():
        gradients.append(full_gradient(worker))
        return optimizer_step()

    worker.engine.optimizer_step = step_and_keep_the_gradient
    seen = []
    for rows in make_rows(args.seed)[args.skip :]:
        output = worker.train_batch(part_of_rank(rows, worker.engine))
        metrics = dict(output["metrics"]) if output is not None else None
        seen.append({"metrics": metrics, "weights": worker.difficulty_weights.weights()})
    if args.save:
        worker.save_checkpoint(args.save, global_step=len(seen))
    everyone: list = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, {"steps": seen, "state": worker.difficulty_weights.state_dict()})
    if dist.get_rank() == 0:
        torch.save({"ranks": everyone, "gradients": gradients}, args.out)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
