"""verl's own methods and the same ones as weightings, on the same engine, from the same model and mini-batch.

And DARO for rewards on three scales. Run by ``torchrun`` on data-parallel Megatron ranks. Rank 0 writes each method's
loss and full gradient, both ways, and for each scale DARO's, with the weights and losses of three steps.
"""

import argparse
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage
from verl.utils import tensordict_utils as tu
from verl.workers.config import PolicyLossConfig
from verl.workers.engine_workers import TrainingWorker
from verl.workers.utils.losses import ppo_loss

from daro_verl.advantage import compute_daro_advantage, find_weighting
from daro_verl.advantage.in_verl import estimate_advantage
from daro_verl.config import DaroConfig
from daro_verl.workers.actor_worker import DaroActorWorker
from daro_verl.workers.difficulty_weights import DifficultyWeights
from tests.ranks.batch import NUM_ROLLOUTS, make_mini_batch
from tests.ranks.train_ranks import Recorder, build_worker
from tests.ranks.workers import engine_configs, part_of_rank

SETTINGS = {"engine": "megatron", "tp": 1, "pp": 1, "dtype": "float32", "lr": 0.0, "micro_batch_size": 0}
LONGEST = 20  # tokens of a response: what Dr.GRPO divides by
METHODS = {
    "grpo": ({}, True),
    "dapo": ({"clip_ratio_low": 0.2, "clip_ratio_high": 0.28}, True),
    "dr_grpo": ({"loss_agg_mode": "seq-mean-token-sum-norm", "loss_scale_factor": LONGEST}, False),
    "lipo": ({}, None),
}
"""For each weighting: verl's settings of the actor, and whether its estimator divides by the prompt's deviation."""
SCALES = ((0.0, 1.0), (0.0, 0.1), (10.0, 100.0))
"""Rewards of a failure and of a success."""


def lite_ppo(scores: torch.Tensor, mask: torch.Tensor, index) -> tuple[torch.Tensor, torch.Tensor]:
    """arXiv 2508.08221, which verl does not have: centred by the prompt, divided by the deviation of the batch."""
    centred, _ = compute_grpo_outcome_advantage(scores, mask, index, norm_adv_by_std_in_grpo=False)
    advantages = centred / (scores.sum(-1).std() + 1e-6)
    return advantages, advantages


def verls_estimator(divide_by_std: bool | None):
    if divide_by_std is None:
        return lite_ppo

    return partial(compute_grpo_outcome_advantage, norm_adv_by_std_in_grpo=divide_by_std)


def gradient_of(worker: DaroActorWorker, recorder: Recorder, train_batch, loss_fn, estimate) -> dict:
    rows = make_mini_batch(torch.Generator().manual_seed(0), estimate=estimate)
    worker.loss_fn = loss_fn
    data = part_of_rank(rows, worker.engine)
    tu.assign_non_tensor(data, global_batch_size=len(rows["lengths"]))  # of all ranks, as verl's trainers send it
    output = train_batch(data)
    return {
        "loss": output["metrics"]["loss"] if output is not None else None,
        "size": (rows["advantages"].abs() * rows["response_mask"]).sum().item(),  # of what it adds up
        "num_tokens": int(rows["response_mask"].sum()),
        "gradient": recorder.drain()["gradients"][0],
    }


def estimate_on_scale(scores: torch.Tensor, mask: torch.Tensor, index, failure: float, success: float):
    """As the trainer estimates, where the same responses get other rewards."""
    rewards = scores * (success - failure)
    rewards[:, 0] += failure
    return estimate_advantage(rewards, mask, index, {"daro": {**DaroConfig().to_dict(), "num_rollouts": NUM_ROLLOUTS}})


def trained_on_scale(worker: DaroActorWorker, recorder: Recorder, failure: float, success: float) -> dict:
    """Three optimizer steps with new weights; the model keeps still (its learning rate is 0)."""
    worker.difficulty_weights = DifficultyWeights(NUM_ROLLOUTS)
    worker.set_loss_fn(worker._verl_loss_fn)
    estimate = partial(estimate_on_scale, failure=failure, success=success)
    steps = [gradient_of(worker, recorder, worker.train_batch, worker.loss_fn, estimate) for _ in range(3)]
    losses = worker.difficulty_weights.history.average()
    return {"steps": steps, "weights": worker.difficulty_weights.weights(), "losses": losses}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    args = argparse.Namespace(model=given.model, **SETTINGS)
    budget = len(make_mini_batch(torch.Generator().manual_seed(0))["lengths"]) * LONGEST
    args.options = {"weighting": "grpo"}
    worker = build_worker(args)
    recorder, result = Recorder(worker), {}
    for method, (settings, divide_by_std) in METHODS.items():
        plain = engine_configs(argparse.Namespace(**vars(args), actor=settings), PolicyLossConfig())[2]
        verls = partial(TrainingWorker.train_batch, worker), partial(ppo_loss, config=plain)
        clip = {name: value for name, value in settings.items() if name.startswith("clip")}
        own = engine_configs(argparse.Namespace(**vars(args), actor=clip), PolicyLossConfig())[2]
        expected = gradient_of(worker, recorder, *verls, verls_estimator(divide_by_std))
        worker.difficulty_weights = DifficultyWeights(NUM_ROLLOUTS, {"weighting": method}, budget)
        worker.set_loss_fn(partial(ppo_loss, config=own))
        estimate = partial(compute_daro_advantage, weighting=find_weighting(method))
        found = gradient_of(worker, recorder, worker.train_batch, worker.loss_fn, estimate)
        size = expected["size"] / (budget if method == "dr_grpo" else expected["num_tokens"])
        result[method] = {"verl": expected, "weighting": found, "size of the loss": size}
    result["scales"] = [trained_on_scale(worker, recorder, *scale) for scale in SCALES]
    if dist.get_rank() == 0:
        torch.save(result, given.out)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
