"""The short job, one process per rank, with the environment variables that ``torchrun`` sets."""

import argparse
import os
from pathlib import Path

import torch.distributed as dist
import verl  # noqa: F401  (loads the plugin, and with it the CPU platform)
from omegaconf import DictConfig
from verl.utils.distributed import initialize_global_process_group_ray

from benchmarks.cost.ranks import build_worker
from benchmarks.interruptions.journal import FINISHED, LOADING, STARTING, Journal
from benchmarks.interruptions.ranks import Rank, RankGroup, serve
from benchmarks.interruptions.trainer import StandInTrainer
from daro_verl.job import prepare_job
from tests.unit.jobs import compose_job


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--checkpoints", required=True, help="trainer.default_local_dir")
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--save-every", type=int, required=True)
    parser.add_argument("--keep", type=int, required=True, help="trainer.max_actor_ckpt_to_keep")
    parser.add_argument("--die-at", help="<phase>#<n>, see journal.py")
    return parser.parse_args()


def make_rank(model: str) -> Rank:
    return Rank(build_worker(model, tp=2, dtype="float32", rows=0, lr=1e-3))


def prepared_config(args: argparse.Namespace) -> DictConfig:
    """verl's configuration after DARO's checks, which put the tracker file in order."""
    config = compose_job(
        f"trainer.default_local_dir={args.checkpoints}",
        f"trainer.max_actor_ckpt_to_keep={args.keep}",
        "trainer.resume_mode=auto",
        "data.shuffle=True",
        "data.seed=1",
    )
    prepare_job(config)
    return config


def lead(args: argparse.Namespace) -> None:
    """Rank 0: the trainer's part and a rank's part."""
    journal = Journal(args.journal, args.die_at)
    journal.enter(STARTING, 0)
    config = prepared_config(args)
    initialize_global_process_group_ray()
    rank = make_rank(args.model)
    trainer = StandInTrainer(config, RankGroup(rank), journal)
    trainer.note_phases_of_the_engine(rank.worker.engine)
    journal.enter(LOADING, 0)
    trainer._load_checkpoint()
    journal.note("resumed", trainer.global_steps, {"ranks": trainer.ranks.call("state")})
    trainer.train_until(args.steps, args.save_every)
    journal.enter(FINISHED, args.steps)
    trainer.ranks.stop()


def main() -> None:
    args = parse()
    if os.environ["RANK"] == "0":
        lead(args)
    else:
        initialize_global_process_group_ray()
        serve(make_rank(args.model))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
