"""The supervised model from which all runs of one kind of writers and one seed start. It is kept on disk."""

import math

import numpy as np
import torch

from benchmarks.convergence.model import Decoder, response_log_probs
from benchmarks.convergence.regimes import Writing
from benchmarks.convergence.streams import FACTS, START, SUPERVISED, numpy_stream, torch_seed
from benchmarks.convergence.task import PAD, draw_problems
from benchmarks.convergence.writers import Facts, draw_facts, write_solutions

NUM_STEPS, BATCH_SIZE = 600, 128
LEARNING_RATE, BETAS, WEIGHT_DECAY, RAMP_STEPS = 5e-3, (0.9, 0.98), 0.01, 50


def train(writing: Writing, seed: int, num_steps: int = NUM_STEPS) -> Decoder:
    """Imitate the writers of ``seed``: AdamW, linear warm-up, cosine decay to zero."""
    torch.manual_seed(torch_seed(seed, START))
    model, rng, facts = Decoder(), numpy_stream(seed, SUPERVISED), draw_facts(numpy_stream(seed, FACTS), writing)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=BETAS, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / RAMP_STEPS) * (0.5 + 0.5 * math.cos(math.pi * step / num_steps))
    )
    for _ in range(num_steps):
        optimizer.zero_grad()
        supervised_loss(model, facts, writing, rng).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return model


def supervised_loss(model: Decoder, facts: Facts, writing: Writing, rng: np.random.Generator) -> torch.Tensor:
    """Mean negative log-likelihood of fresh solutions, in nats per token."""
    problems = draw_problems(rng, BATCH_SIZE)
    solutions = write_solutions(problems, facts, writing, rng)
    return -response_log_probs(model, problems.prompts(), solutions).sum() / (solutions != PAD).sum()
