"""What DARO adds to the actor's update: verl's own worker and DARO's, alternating on one engine and one batch.

    VERL_PLATFORM=cpu OMP_NUM_THREADS=1 python -m torch.distributed.run --standalone --nproc_per_node=2 \\
        -m benchmarks.update_cost --out benchmarks/results/update_cost.json

Two Megatron-core ranks (TP = 2) with the quickstart's model and batch shape (128 responses of up to 48 tokens, one
optimizer step). Every round times verl's ``TrainingWorker.train_batch`` with verl's ``vanilla`` loss, which is GRPO's
update, and DARO's ``train_batch`` on the same mini-batch, in changing order. Rank 0 prints the medians, their ratio and
the median of the per-round ratios with its quartiles.
"""

import argparse
import json
import platform
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median, quantiles

import torch
import torch.distributed as dist
import verl
from verl.utils.distributed import initialize_global_process_group_ray
from verl.workers.config import McoreActorConfig
from verl.workers.engine_workers import TrainingWorker
from verl.workers.utils.losses import ppo_loss

from examples.quickstart.tokenizer_model import build_model, build_tokenizer
from tests.ranks import train_ranks
from tests.ranks.batch import NUM_ROLLOUTS, as_verl_batch, make_mini_batch


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--warm-up", type=int, default=3)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def shared_model() -> str:
    """The quickstart's model with random weights, written by rank 0."""
    folder: list = [tempfile.mkdtemp() if dist.get_rank() == 0 else None]
    if dist.get_rank() == 0:
        tokenizer = build_tokenizer()
        tokenizer.save_pretrained(folder[0])
        build_model(tokenizer).save_pretrained(folder[0])
    dist.broadcast_object_list(folder, src=0)
    return folder[0]


def make_updates(model: str, num_responses: int) -> dict:
    """``{name: update(rows)}`` for verl's worker and for DARO's, on one engine whose model does not move (lr 0)."""
    args = argparse.Namespace(
        engine="megatron", model=model, tp=2, pp=1, dtype="bfloat16", lr=0.0, loss="vanilla", options={}
    )
    args.micro_batch_size = num_responses
    worker = train_ranks.build_worker(args)
    actor = McoreActorConfig(strategy="megatron", rollout_n=NUM_ROLLOUTS, ppo_micro_batch_size_per_gpu=1)
    daro_loss, plain_loss = worker.loss_fn, partial(ppo_loss, config=actor)

    def grpo(rows: dict) -> None:
        worker.loss_fn = plain_loss
        TrainingWorker.train_batch(worker, as_verl_batch(rows))

    def daro(rows: dict) -> None:
        worker.loss_fn = daro_loss
        worker.train_batch(as_verl_batch(rows))

    return {"grpo": grpo, "daro": daro}


def measure(updates: dict, rows: dict, rounds: int, warm_up: int) -> dict[str, list[float]]:
    """Seconds per update, interleaved; every rank starts an update at the same moment."""
    seconds: dict[str, list[float]] = {name: [] for name in updates}
    for i in range(warm_up + rounds):
        for name in sorted(updates, reverse=bool(i % 2)):
            dist.barrier()
            start = time.perf_counter()
            updates[name](rows)
            dist.barrier()
            if i >= warm_up:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def main() -> None:
    args = parse()
    initialize_global_process_group_ray()
    rows = make_mini_batch(torch.Generator().manual_seed(0), repeat=4, longest=44)
    seconds = measure(make_updates(shared_model(), len(rows["returns"])), rows, args.rounds, args.warm_up)
    ratios = [d / g for g, d in zip(seconds["grpo"], seconds["daro"], strict=True)]
    low, _, high = quantiles(ratios, n=4)
    result = {
        "responses": len(rows["returns"]),
        "rounds": args.rounds,
        "grpo_ms": 1000 * median(seconds["grpo"]),
        "daro_ms": 1000 * median(seconds["daro"]),
        "ratio_of_medians": median(seconds["daro"]) / median(seconds["grpo"]),
        "median_ratio": median(ratios),
        "quartiles": [low, high],
        "versions": {"torch": torch.__version__, "verl": verl.__version__, "python": platform.python_version()},
    }
    if dist.get_rank() == 0:
        print(json.dumps(result, indent=1))
        if args.out:
            args.out.write_text(json.dumps(result, indent=1) + "\n")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
