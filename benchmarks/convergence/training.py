"""One run: reinforcement learning of a warm-started model with one method."""

from collections.abc import Callable

import numpy as np
import torch

from benchmarks.convergence.evaluation import evaluate
from benchmarks.convergence.model import Decoder, response_log_probs
from benchmarks.convergence.records import Recorder
from benchmarks.convergence.rollout import Rollout, roll_out
from benchmarks.convergence.runs import Run
from benchmarks.convergence.streams import SHUFFLE, numpy_stream
from benchmarks.convergence.task import MAX_RESPONSE_LENGTH, PAD
from benchmarks.convergence.update import Update

MAX_GRAD_NORM = 1.0


def train(model: Decoder, run: Run) -> Recorder:
    """Train ``model`` in place and return what was recorded: AdamW without weight decay, gradients clipped."""
    regime, schedule = run.regime, run.schedule
    num_responses = regime.num_prompts * regime.group_size // regime.num_mini_batches
    update = Update(run.method.options, regime.group_size, num_responses * MAX_RESPONSE_LENGTH, run.method.clip_high)
    take_step = _optimizer(model, run.learning_rate)
    record, num_generated = Recorder(), 0
    for number in range(schedule.num_rounds + 1):
        if number % schedule.evaluate_every == 0 or number == schedule.num_rounds:
            record.evaluation(number, num_generated, evaluate(model, run.seed, number))
        if number < schedule.num_rounds:
            rollout = roll_out(model, regime, run.seed, number, run.method.dynamic_sampling)
            num_generated += rollout.num_generated
            order = numpy_stream(run.seed, SHUFFLE, number).permutation(len(rollout))
            train_on(model, rollout, np.array_split(order, regime.num_mini_batches), update, take_step, record)
    return record


def train_on(
    model: Decoder,
    rollout: Rollout,
    mini_batches: list[np.ndarray],
    update: Update,
    take_step: Callable[[torch.Tensor], float],
    record: Recorder,
) -> None:
    """The optimizer steps of one round. ``mini_batches`` are indices of prompts; an empty one is left out."""
    advantages, returns = update.advantages(rollout.rewards, rollout.responses != PAD)
    for indices in mini_batches:
        prompts = torch.from_numpy(indices)
        part = rollout.pick(prompts)
        if len(part) == 0:
            continue
        data = {
            "advantages": advantages[prompts].flatten(0, 1),
            "returns": returns[prompts].flatten(0, 1),
            "response_mask": (part.responses != PAD).flatten(0, 1).float(),
            "old_log_probs": part.log_probs.flatten(0, 1),
        }
        record.optimizer_step(update.step(data, _log_probs_now(model, part), take_step), part)


def _log_probs_now(model: Decoder, part: Rollout) -> torch.Tensor:
    """[num_responses, R], with gradient where the loss can depend on it.

    Prompts with pass rate 0 or 1 keep their old log-probabilities: all their advantages are zero, so the loss is zero
    in every weighting and the model need not see them.
    """
    log_probs, teaches = part.log_probs.clone(), part.informative()
    now = response_log_probs(model, part.prompts[teaches], part.responses[teaches].flatten(0, 1))
    log_probs[teaches] = now.view(-1, *log_probs.shape[1:])
    return log_probs.flatten(0, 1)


def _optimizer(model: Decoder, learning_rate: float) -> Callable[[torch.Tensor], float]:
    """A function that minimises a loss by one step and returns the gradient's norm before it was clipped."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.0)

    def take_step(loss: torch.Tensor) -> float:
        optimizer.zero_grad()
        if loss.requires_grad:  # else no prompt of the mini-batch teaches anything
            loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRAD_NORM)
        optimizer.step()
        return norm.item()

    return take_step
