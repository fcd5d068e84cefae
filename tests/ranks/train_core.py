"""DARO in verl's core (``upstream/daro_in_core``) and the plugin's, in turn on one engine, on the same mini-batches.

Run by ``torchrun`` on two data-parallel Megatron ranks of a patched copy of verl, without the plugin's seams. Rank 0
writes, for each form and side, the loss, the bins' losses, the full gradient, and every rank's weights after each step.
"""

import argparse
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from verl.trainer.config import DaroConfig
from verl.trainer.ppo.core_algos import get_adv_estimator_fn
from verl.utils import tensordict_utils as tu
from verl.workers.config import PolicyLossConfig
from verl.workers.engine_workers import TrainingWorker
from verl.workers.utils.daro import DifficultyWeights as CoreWeights
from verl.workers.utils.losses import ppo_loss

from daro_verl.workers.actor_worker import DaroActorWorker
from daro_verl.workers.difficulty_weights import DifficultyWeights
from tests.ranks.batch import DARO, NUM_ROLLOUTS, make_mini_batch
from tests.ranks.reference import LEARNING_RATE
from tests.ranks.train_ranks import Recorder, build_worker
from tests.ranks.workers import engine_configs, part_of_rank

SETTINGS = {"engine": "megatron", "tp": 1, "pp": 1, "dtype": "float32", "lr": LEARNING_RATE, "micro_batch_size": 0}
FORMS = {
    "default": ({"weighting": "learned", "metrics": "all"}, {}),
    "paper": (
        {"weighting": "paper", "metrics": "all"},
        {"form": "paper", "loss_ema_decay": 0.0, "weight_min": 0.01, "weight_max": 100.0},
    ),
}
"""For each form of DARO, the options of the plugin and those of verl's ``algorithm.daro``."""
NUM_STEPS = 3


def make_plugin(worker: DaroActorWorker, args: argparse.Namespace, options: dict):
    worker.daro = None
    worker.difficulty_weights = DifficultyWeights(NUM_ROLLOUTS, options)
    worker.set_loss_fn(partial(ppo_loss, config=engine_configs(args, PolicyLossConfig())[2]))
    return worker.train_batch, DARO, worker.difficulty_weights.weights


def make_core(worker: DaroActorWorker, args: argparse.Namespace, options: dict):
    worker.daro = CoreWeights(DaroConfig(**options), NUM_ROLLOUTS)
    worker.loss_fn = partial(ppo_loss, config=engine_configs(args, PolicyLossConfig())[2])
    estimate = get_adv_estimator_fn("daro")
    return partial(TrainingWorker.train_batch, worker), estimate, worker.daro.weights


def train(worker: DaroActorWorker, recorder: Recorder, side: tuple) -> dict:
    train_batch, estimate, weights_of = side
    steps = []
    for seed in range(NUM_STEPS):
        rows = make_mini_batch(torch.Generator().manual_seed(seed), estimate=estimate)
        data = part_of_rank(rows, worker.engine)
        tu.assign_non_tensor(data, global_batch_size=len(rows["lengths"]))
        metrics = tu.get(train_batch(data), "metrics")
        losses = [torch.tensor(metrics[f"daro/loss/{k}of{NUM_ROLLOUTS}"]).flatten()[0] for k in range(1, NUM_ROLLOUTS)]
        everyone: list = [None] * dist.get_world_size()
        dist.all_gather_object(everyone, weights_of())
        steps.append({"loss": metrics["loss"], "bin losses": torch.stack(losses), "weights": everyone})
    return {"steps": steps, "gradients": recorder.drain()["gradients"]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    args = argparse.Namespace(model=given.model, options={"weighting": "learned"}, **SETTINGS)
    worker = build_worker(args)
    recorder, result = Recorder(worker), {}
    start = given.out.with_name("start")
    worker.engine.save_checkpoint(str(start))
    for form, (plugins, cores) in FORMS.items():
        for side, make, options in (("plugin", make_plugin, plugins), ("core", make_core, cores)):
            worker.engine.load_checkpoint(str(start))
            result[form, side] = train(worker, recorder, make(worker, args, options))
    if dist.get_rank() == 0:
        torch.save(result, given.out)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
