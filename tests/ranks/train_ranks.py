"""Train DARO's actor worker on verl's Megatron or FSDP2 engine; run by ``torchrun`` with ``VERL_PLATFORM=cpu``.

Every rank trains on its part of the same mini-batches, once for each variant, from the same model, optimizer and
weights. Then a checkpoint is saved and resumed, if asked for. Rank 0 writes, with ``torch.save``, each rank's metrics
and weights after every step, and the model's full gradient (Hugging Face names) of every step.
"""

import argparse
import json
import logging
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
import verl  # noqa: F401  (loads the plugin, and with it the CPU platform)
from verl.utils import tensordict_utils as tu
from verl.workers.config import PolicyLossConfig
from verl.workers.engine_workers import TrainingWorker
from verl.workers.utils.losses import ppo_loss

from daro_verl.workers.actor_worker import DaroActorWorker
from daro_verl.workers.difficulty_weights import DifficultyWeights
from tests.ranks.batch import NUM_ROLLOUTS
from tests.ranks.full_gradient import full_gradient
from tests.ranks.reference import LEARNING_RATE
from tests.ranks.variants import NOT_FINITE, VARIANTS, Variant
from tests.ranks.workers import engine_configs, make_worker, part_of_rank

RESUMED = VARIANTS["static 2"]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--engine", choices=["megatron", "fsdp2"], default="megatron")
    parser.add_argument("--tp", type=int, default=1)
    parser.add_argument("--pp", type=int, default=1)
    parser.add_argument("--cp", type=int, default=1, help="needs GPUs and Transformer Engine")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--lr", type=float, default=LEARNING_RATE)
    parser.add_argument("--lora-rank", type=int, default=0)
    parser.add_argument("--options", type=json.loads, default={"weighting": "paper", "weight_lr": 0.5})
    parser.add_argument("--variants", type=json.loads, default=["static 2"])
    parser.add_argument("--save", help="folder of a checkpoint, written after two mini-batches and resumed")
    parser.add_argument("--resume", help="folder of such a checkpoint of another parallel layout, which is resumed")
    args = parser.parse_args()
    args.micro_batch_size = 0
    return args


def build_worker(args: argparse.Namespace, num_rollouts: int = NUM_ROLLOUTS, token_budget: int = 1) -> DaroActorWorker:
    daro = {"options": {"metrics": "all", **args.options}, "num_rollouts": num_rollouts, "token_budget": token_budget}
    make = partial(DaroActorWorker, daro={**daro, "policy_loss": "vanilla"})
    return make_worker(make, args, PolicyLossConfig())


def start_over(
    worker: DaroActorWorker, args: argparse.Namespace, variant: Variant, start: str, recorder: "Recorder"
) -> None:
    """The model and optimizer of the start, new difficulty weights, and the variant's loss."""
    worker.engine.load_checkpoint(start)
    options = {"metrics": "all", **args.options, "weighting": variant.weighting}
    worker.difficulty_weights = DifficultyWeights(NUM_ROLLOUTS, options, 1)
    actor = engine_configs(args, PolicyLossConfig(loss_mode=variant.loss))[2]
    worker.set_loss_fn(recorder.counted(partial(ppo_loss, config=actor)))
    if not variant.daro:
        worker.loss_fn = partial(ppo_loss, config=actor)


def batch_of_rank(worker: DaroActorWorker, rows: dict, variant: Variant):
    engine = worker.engine
    data = part_of_rank(rows, engine)
    size, rank = engine.get_data_parallel_size(), engine.get_data_parallel_rank()
    own = {name: value.chunk(size)[rank] for name, value in rows.items()}
    tu.assign_non_tensor(data, **variant.split(own))
    return data


def steps_of(worker: DaroActorWorker, variant: Variant, batches: list[dict]) -> list[dict]:
    """Train; one record for each call of the worker: its metrics and, on every rank, the weights after it."""
    train_batch = worker.train_batch if variant.daro else partial(TrainingWorker.train_batch, worker)
    seen = []
    for rows in batches:
        data = batch_of_rank(worker, rows, variant)
        if variant.updates:
            epochs, num_mini_batches = variant.updates
            tu.assign_non_tensor(data, epochs=epochs, mini_batch_size=len(rows["lengths"]) // num_mini_batches)
            output = worker.train_mini_batch(data)
        else:
            output = train_batch(data)
        metrics = dict(output["metrics"]) if output is not None else None
        seen.append({"metrics": metrics, "weights": worker.difficulty_weights.weights()})
    return seen


class Recorder:
    """Keeps the model's gradient before every optimizer step, and how many micro-batches led to it."""

    def __init__(self, worker: DaroActorWorker) -> None:
        self.gradients: list[dict[str, torch.Tensor]] = []
        self.num_micro_batches: list[int] = []
        self._num_calls = 0
        optimizer_step = worker.engine.optimizer_step

        def step_and_keep_the_gradient():
            self.gradients.append(full_gradient(worker.engine))
            self.num_micro_batches.append(self._num_calls)
            self._num_calls = 0
            return optimizer_step()

        worker.engine.optimizer_step = step_and_keep_the_gradient

    def counted(self, loss_fn):
        """``loss_fn``, whose calls are counted: once for each micro-batch, where this rank computes the loss."""

        def counting(**kwargs):
            self._num_calls += 1
            return loss_fn(**kwargs)

        return counting

    def drain(self) -> dict:
        taken = {"gradients": self.gradients, "num_micro_batches": self.num_micro_batches}
        self.gradients, self.num_micro_batches = [], []
        return taken


def said_at_a_sync(worker: DaroActorWorker) -> list[str]:
    """What this rank logs about the steps since the last sync."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    own = logging.getLogger("daro_verl.workers.step_line")
    own.addHandler(handler)
    worker._step_line.say(1)
    own.removeHandler(handler)
    return said


def run_variant(worker: DaroActorWorker, variant: Variant, batches: list[dict], recorder: Recorder) -> dict:
    steps = steps_of(worker, variant, batches)
    recorded = recorder.drain()
    own = {"steps": steps, "state": worker.difficulty_weights.state_dict()}
    own["num_micro_batches"] = recorded["num_micro_batches"]
    own["said"] = said_at_a_sync(worker)
    everyone: list = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, own)
    return {"ranks": everyone, "gradients": recorded["gradients"]}


def resumed(worker: DaroActorWorker, start_over: Callable[..., None], folder: str, recorder: Recorder) -> dict:
    """The third mini-batch, after the checkpoint in ``folder`` is loaded over a new start."""
    start_over(RESUMED)
    worker.load_checkpoint(folder)
    return run_variant(worker, RESUMED, RESUMED.batches()[2:], recorder)


def train(worker: DaroActorWorker, args: argparse.Namespace) -> dict:
    """Every variant, and then the resumes; each begins anew."""
    recorder = Recorder(worker)
    folder: list = [tempfile.mkdtemp() if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(folder, src=0)
    worker.engine.save_checkpoint(folder[0])
    new_start = partial(start_over, worker, args, start=folder[0], recorder=recorder)
    result: dict = {"data_parallel_size": worker.engine.get_data_parallel_size(), "variants": {}}
    for name in args.variants:
        variant = (VARIANTS | NOT_FINITE)[name]
        new_start(variant)
        result["variants"][name] = run_variant(worker, variant, variant.batches(), recorder)
    if args.save:
        new_start(RESUMED)
        run_variant(worker, RESUMED, RESUMED.batches()[:2], recorder)
        worker.save_checkpoint(args.save, global_step=worker.difficulty_weights.version)
    if args.save or args.resume:
        result["resumed"] = resumed(worker, new_start, args.save or args.resume, recorder)
    return result


def main() -> None:
    args = parse()
    args.other_layout = bool(args.resume)
    worker = build_worker(args)
    adapted = parameters_of(worker) if args.lora_rank else None
    result = train(worker, args)
    if args.lora_rank:
        result |= {"start": adapted, "end": parameters_of(worker)}
    if dist.get_rank() == 0:
        torch.save(result, args.out)
    dist.destroy_process_group()


def parameters_of(worker: DaroActorWorker) -> dict[str, torch.Tensor]:
    return {name: p.full_tensor().clone() for name, p in worker.engine.module.named_parameters()}


if __name__ == "__main__":
    main()
