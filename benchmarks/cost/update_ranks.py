"""Run by torchrun: seconds of verl's actor update and DARO's, in turn on one engine and one batch. Rank 0 writes JSON.

Every rank starts an update at the same moment, and an update ends when all of them have.
"""

import argparse
import json
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from verl.utils.distributed import initialize_global_process_group_ray

from benchmarks.cost.ranks import batch_of_rank, build_worker, quickstart_model, updates
from benchmarks.cost.timing import interleave
from tests.ranks.batch import make_mini_batch


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tp", type=int, default=1)
    parser.add_argument("--model", help="folder; the quickstart's model by default")
    parser.add_argument("--repeat", type=int, default=4, help="times 40 responses")
    parser.add_argument("--longest", type=int, default=44, help="tokens of a right response; a wrong one has 4 more")
    parser.add_argument("--micro-batches", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    initialize_global_process_group_ray()
    worker = build_worker(args.model or quickstart_model(), args.tp)
    rows = make_mini_batch(torch.Generator().manual_seed(0), repeat=args.repeat, longest=args.longest)

    def alone(update):
        data = batch_of_rank(worker, rows, args.micro_batches)
        dist.barrier()
        update(data)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        dist.barrier()

    functions = {name: partial(alone, update) for name, update in updates(worker).items()}
    seconds = interleave(functions, args.rounds, warm_up=3)
    if dist.get_rank() == 0:
        args.out.write_text(json.dumps({"responses": len(rows["returns"]), "seconds": seconds}))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
