"""One run: reinforcement learning of a model with one method, round by round."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from benchmarks.convergence.alignment import AlignedUpdate
from benchmarks.convergence.evaluation import Sampled
from benchmarks.convergence.prompts import chosen_prompts
from benchmarks.convergence.records import Recorder
from benchmarks.convergence.rollout import Rollout, roll_out
from benchmarks.convergence.runs import Run
from benchmarks.convergence.streams import SHUFFLE, numpy_stream
from benchmarks.convergence.update import Update

MAX_GRAD_NORM = 1.0


class Policy(Protocol):
    """A model with its task, at one seed.

    Attributes:
        max_response_length: tokens.
        micro_batch: prompts whose responses the model sees at once in training.
    """

    module: nn.Module
    max_response_length: int
    micro_batch: int

    def generate(self, step: int, generation: int) -> Rollout:
        """Batch ``generation`` of round ``step``: the same prompts and noise for every method."""

    def generate_for(self, places: np.ndarray, step: int, generation: int) -> Rollout:
        """The same for problems of a finite training set, whose places are given; only where there is one."""

    def log_probs(self, part: Rollout) -> torch.Tensor:
        """[n * G, R] of the responses of ``part``, with gradient."""

    def evaluate(self, step: int) -> Sampled:
        """Responses to the held-out problems: the same noise for every method."""


class Training:
    """A run on its way: AdamW without weight decay, gradients clipped.

    Attributes:
        number: rounds so far.
        record: what was recorded.
        chosen: which problems of a finite training set are generated for; None if there is none.
        processor_seconds: of this process by part.
    """

    def __init__(self, policy: Policy, run: Run) -> None:
        regime = run.regime
        budget = regime.num_prompts * regime.group_size // regime.num_mini_batches * policy.max_response_length
        self.policy, self.run, self.record, self.number = policy, run, Recorder(), 0
        self.update = update_of(run, policy.module, budget)
        self.optimizer = torch.optim.AdamW(policy.module.parameters(), lr=run.learning_rate, weight_decay=0.0)
        self.chosen = chosen_prompts(run, lambda: self.update.weights.weights().numpy())
        self.num_generated = self.num_tokens = 0
        self.processor_seconds = {"sampling": 0.0, "update": 0.0, "evaluation": 0.0}

    def finish(self, after_round: Callable[["Training"], None] = lambda training: None) -> Recorder:
        """All rounds that are left, and the evaluations between them."""
        while self.number <= self.run.schedule.num_rounds:
            self._round()
            after_round(self)
        return self.record

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rest of the run depends on."""
        names = ("record", "number", "num_generated", "num_tokens", "processor_seconds")
        return {name: vars(self)[name] for name in names} | {
            name: part.state_dict() for name, part in self._parts().items()
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`, with the same figures as a run that never stopped."""
        parts = self._parts()
        for name, value in state.items():
            if name in parts:
                parts[name].load_state_dict(value)
            else:
                setattr(self, name, value)

    def _parts(self) -> dict[str, Any]:
        """What has a state of its own."""
        parts = {"module": self.policy.module, "optimizer": self.optimizer, "weights": self.update.weights}
        return parts | ({"chosen": self.chosen} if self.chosen else {})

    def _round(self) -> None:
        """An evaluation where one is due, and then, but for the last time, a rollout and its optimizer steps."""
        schedule, regime = self.run.schedule, self.run.regime
        is_last = self.number == schedule.num_rounds
        if self.number % schedule.evaluate_every == 0 or is_last:
            with self._timed("evaluation"):
                sampled = self.policy.evaluate(self.number)
            self.record.evaluation(self.number, self.num_generated, self.num_tokens, sampled)
        if not is_last:
            with self._timed("sampling"):
                rollout = roll_out(self._batch, regime.num_prompts, self.run.method.dynamic_sampling)
            if self.chosen:
                self.record.rollout(self.chosen.left_out)
            self.num_generated += rollout.num_generated
            self.num_tokens += rollout.num_generated_tokens
            order = numpy_stream(self.run.seed, SHUFFLE, self.number).permutation(len(rollout))
            with self._timed("update"):
                self.train_on(rollout, np.array_split(order, regime.num_mini_batches))
        self.number += 1

    def _batch(self, generation: int) -> Rollout:
        """One batch of prompts with their responses."""
        if self.chosen is None:
            return self.policy.generate(self.number, generation)
        taken = self.chosen.take(self.run.regime.num_prompts)
        batch = self.policy.generate_for(taken["place"], self.number, generation)
        successes = batch.successes().numpy()
        self.chosen.observe(taken["place"], successes, self.number)
        self.record.groups(self.number, taken, successes)
        return batch

    def train_on(self, rollout: Rollout, mini_batches: list[np.ndarray]) -> None:
        """The optimizer steps of one round. ``mini_batches`` are indices of prompts; an empty one is left out."""
        advantages, returns = self.update.advantages(rollout.rewards, rollout.mask)
        for prompts in map(torch.from_numpy, mini_batches):
            part = rollout.pick(prompts)
            if len(part) == 0:
                continue
            data = {
                "advantages": advantages[prompts].flatten(0, 1),
                "returns": returns[prompts].flatten(0, 1),
                "response_mask": part.mask.flatten(0, 1).float(),
                "old_log_probs": part.log_probs.flatten(0, 1),
            }
            self.record.optimizer_step(self.update.step(data, self._micro_batches(part), self._take_step), part)

    def _micro_batches(self, part: Rollout) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Responses of ``part`` (indices) with their log-probabilities now.

        Prompts with pass rate 0 or 1 are left out: all their advantages are zero, so the loss is zero in every
        weighting and the model need not see them.
        """
        group = part.rewards.shape[1]
        for prompts in part.informative().nonzero().squeeze(1).split(self.policy.micro_batch):
            if len(prompts):
                responses = (prompts.unsqueeze(1) * group + torch.arange(group)).flatten()
                yield responses, self.policy.log_probs(part.pick(prompts))

    def _take_step(self) -> float:
        """One optimizer step with the gradient so far, whose norm before it was clipped is returned."""
        norm = torch.nn.utils.clip_grad_norm_(self.policy.module.parameters(), MAX_GRAD_NORM)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return norm.item()

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        begin = time.process_time()
        yield
        self.processor_seconds[part] += time.process_time() - begin


def update_of(run: Run, module: nn.Module, token_budget: int) -> Update:
    """The weighting of a run."""
    settings = (run.method.options, run.regime.group_size, token_budget, run.method.clip_high)
    return AlignedUpdate(module.head.weight, *settings) if run.method.aligned else Update(*settings)
