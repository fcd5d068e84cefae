"""Run by torchrun: collectives and reads of one optimizer step, for several numbers of micro-batches.

It runs GRPO and DARO. Rank 0 writes the counts of every rank as JSON.
"""

import argparse
import json
from pathlib import Path

import torch
import torch.distributed as dist
from verl.utils.distributed import initialize_global_process_group_ray

from benchmarks.cost.ranks import batch_of_rank, build_worker, quickstart_model, updates
from benchmarks.cost.watching import Watch
from tests.ranks.batch import make_mini_batch

MICRO_BATCHES = (1, 2, 4)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tp", type=int, default=1)
    parser.add_argument("--pp", type=int, default=1)
    parser.add_argument("--rollouts", type=int, required=True, help="G of the difficulty weights")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    initialize_global_process_group_ray()
    worker = build_worker(quickstart_model(num_layers=2), args.tp, args.pp, num_rollouts=args.rollouts)
    rows = make_mini_batch(torch.Generator().manual_seed(0))
    found = []
    for name, update in updates(worker).items():
        update(batch_of_rank(worker, rows, 1))  # the first one allocates what later ones use again
        for num_micro_batches in MICRO_BATCHES:
            data = batch_of_rank(worker, rows, num_micro_batches)
            with Watch() as watch:
                update(data)
            own = {"collectives": watch.collectives, "reads": dict(watch.reads)}
            found.append({"method": name, "micro-batches": num_micro_batches, "rank": dist.get_rank(), **own})
    everyone: list = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, found)
    if dist.get_rank() == 0:
        args.out.write_text(json.dumps([record for records in everyone for record in records]))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
