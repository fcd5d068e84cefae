"""A GRPO actor on a Megatron rank, with whatever worker class verl's hybrid-engine worker has for it.

Run by ``torchrun`` with and without the plugin. Rank 0 writes losses, gradient norms and the final weights.
"""

import argparse
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from omegaconf import OmegaConf
from verl.workers.config import PolicyLossConfig
from verl.workers.engine_workers import ActorRolloutRefWorker

from tests.ranks.batch import make_rows
from tests.ranks.workers import make_worker, part_of_rank


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    settings = {"engine": "megatron", "tp": 1, "pp": 1, "dtype": "bfloat16", "lr": 1e-3, "micro_batch_size": 0}
    hybrid = object.__new__(ActorRolloutRefWorker)
    hybrid.config = OmegaConf.create({"actor": {"policy_loss": {"loss_mode": "vanilla"}}})
    worker = make_worker(hybrid.actor_worker_cls, argparse.Namespace(model=args.model, **settings), PolicyLossConfig())
    steps = []
    for rows in make_rows(0):
        metrics = worker.train_batch(part_of_rank(rows, worker.engine))
        if metrics is not None:
            steps.append({name: metrics["metrics"][name] for name in ("loss", "grad_norm")})
    weights = {name: value.clone() for name, value in worker.engine.get_per_tensor_param()[0]}
    if dist.get_rank() == 0:
        torch.save({"steps": steps, "weights": weights, "plugin": "daro_verl.plugin" in sys.modules}, args.out)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
