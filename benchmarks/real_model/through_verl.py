"""One optimizer step of the same responses through verl's worker and through this harness, on the real model.

    VERL_PLATFORM=cpu torchrun --standalone --nproc_per_node=1 -m benchmarks.real_model.through_verl \
        MODEL [WEIGHTING] [--engine fsdp2|megatron]

Prints the largest relative differences of the bins' losses, the gradient's norm (not clipped) and the weights.
"""

import argparse
import json
import sys
from functools import partial

import torch
import verl  # noqa: F401  (loads the plugin, and with it the CPU platform)
from tensordict import NonTensorData, TensorDict
from verl.utils import tensordict_utils as tu
from verl.workers.config import PolicyLossConfig

from benchmarks.convergence.rollout import Rollout
from benchmarks.convergence.update import Update
from benchmarks.real_model.language_model import PAD, LanguageModel
from daro_verl.workers.actor_worker import DaroActorWorker
from tests.ranks.workers import make_worker

GROUP, LONGEST, RIGHT = 4, 16, (1, 2, 3, 0)  # responses, tokens, and how many are taken as right, by prompt
QUESTIONS = [f"What is {a} + {b}? Answer with a number." for a, b in ((3, 4), (8, 15), (60, 7), (2, 2))]


def sampled(model: LanguageModel) -> Rollout:
    """Responses with given rewards: every bin is there."""
    prompts = model.encode(QUESTIONS)
    uniform = torch.rand(len(QUESTIONS), GROUP, LONGEST, generator=torch.Generator().manual_seed(0))
    responses, log_probs = model.sample(prompts, uniform)
    rewards = (torch.arange(GROUP) < torch.tensor(RIGHT)[:, None]).float()
    mask = responses != PAD
    return Rollout(prompts, responses, mask, log_probs, rewards, rewards.numel(), int(mask.sum()))


def columns(rollout: Rollout, update: Update) -> dict[str, torch.Tensor]:
    advantages, returns = update.advantages(rollout.rewards, rollout.mask)
    rows = {"advantages": advantages, "returns": returns, "response_mask": rollout.mask.float()}
    return {name: value.flatten(0, 1) for name, value in (rows | {"old_log_probs": rollout.log_probs}).items()}


def as_verl_batch(rollout: Rollout, data: dict[str, torch.Tensor]) -> TensorDict:
    """The nested layout in which verl's trainer sends a batch to its workers."""
    prompts = [row[row != PAD] for row in rollout.prompts.repeat_interleave(GROUP, 0)]
    responses = [row[row != PAD] for row in rollout.responses.flatten(0, 1)]
    ids = [torch.cat(pair) for pair in zip(prompts, responses, strict=True)]
    nested = partial(torch.nested.as_nested_tensor, layout=torch.jagged)
    masks = [torch.cat((torch.zeros_like(p), torch.ones_like(r))) for p, r in zip(prompts, responses, strict=True)]
    per_token = {
        name: nested([row[: len(r)] for row, r in zip(value, responses, strict=True)]) for name, value in data.items()
    }
    per_token["response_mask"] = nested([torch.ones_like(row) for row in responses])
    positions = nested([torch.arange(len(row)) for row in ids])
    rest = {"input_ids": nested(ids), "position_ids": positions, "loss_mask": nested(masks)}
    batch = TensorDict({**rest, "prompts": nested(prompts), "responses": nested(responses), **per_token}, [len(ids)])
    about = {"temperature": 1.0, "calculate_entropy": False, "global_batch_size": len(ids)}
    tu.assign_non_tensor(batch, **about, global_token_num=NonTensorData([len(row) for row in ids]))
    return batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("weighting", nargs="?", default="learned")
    parser.add_argument("--engine", choices=["fsdp2", "megatron"], default="fsdp2")
    args = parser.parse_args()
    options, budget = {"weighting": args.weighting, "metrics": "all"}, len(QUESTIONS) * GROUP * LONGEST
    engine = {"engine": args.engine, "tp": 1, "pp": 1, "dtype": "float32", "lr": 1e-6, "micro_batch_size": 4}
    daro = {"options": options, "num_rollouts": GROUP, "token_budget": budget, "policy_loss": "vanilla"}
    worker = make_worker(
        partial(DaroActorWorker, daro=daro), argparse.Namespace(**engine, model=args.model), PolicyLossConfig()
    )
    model, update = LanguageModel(args.model), Update(options, GROUP, budget, 0.2)
    rollout = sampled(model)
    data = columns(rollout, update)

    def norm() -> float:
        return torch.nn.utils.clip_grad_norm_(model.module.parameters(), 1e9).item()

    teaching = rollout.pick(rollout.informative())
    rows = (rollout.informative().nonzero() * GROUP + torch.arange(GROUP)).flatten()
    log_probs = model.log_probs(teaching.prompts, teaching.responses).flatten(0, 1)
    ours = update.step(dict(data), [(rows, log_probs)], norm)
    theirs = dict(worker.train_batch(as_verl_batch(rollout, data))["metrics"])
    names = sorted(name for name in ours if name.startswith(("daro/loss/", "daro/weight/"))) + ["grad_norm"]
    pairs = {name: (float(ours[name]), float(theirs[name])) for name in names}
    weights = update.weights.weights() / worker.difficulty_weights.weights() - 1
    differences = {name: abs(a - b) / max(abs(a), 1e-3) for name, (a, b) in pairs.items()}
    differences["weights after the step"] = weights.abs().max().item()
    json.dump({"here, verl": pairs, "relative differences": differences}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
