"""The seeds of everything random. Runs of one seed see the same prompts and sampling noise, whatever their method."""

import numpy as np
import torch

from benchmarks.convergence.task import Problems, draw_problems

# What a stream is for.
FACTS, SUPERVISED, HELD_OUT, EVALUATION, PROMPTS, SAMPLING, SHUFFLE, START, TRAINING_SET, ORDER = range(10)
HELD_OUT_SEED = 0  # the held-out problems are the same in all runs


def numpy_stream(seed: int, *purpose: int) -> np.random.Generator:
    """A generator for one purpose; streams of other purposes, rounds or seeds are independent."""
    return np.random.default_rng((seed, *purpose))


def torch_seed(seed: int, *purpose: int) -> int:
    """A seed for torch, for one purpose."""
    return int(np.random.SeedSequence((seed, *purpose)).generate_state(1)[0])


def torch_stream(seed: int, *purpose: int) -> torch.Generator:
    """The same as :func:`numpy_stream` for torch."""
    return torch.Generator().manual_seed(torch_seed(seed, *purpose))


def training_problems(seed: int, step: int, generation: int, size: int) -> Problems:
    """Prompts of round ``step``; ``generation`` counts the batches that dynamic sampling asks for, from 0."""
    return draw_problems(numpy_stream(seed, PROMPTS, step, generation), size)


def training_set(seed: int, size: int) -> Problems:
    """The problems that a run of a finite regime goes through several times."""
    return draw_problems(numpy_stream(seed, TRAINING_SET), size)


def held_out_problems(size: int) -> Problems:
    """Problems of the evaluations: another stream than the training's; the levels in turn."""
    return draw_problems(numpy_stream(HELD_OUT_SEED, HELD_OUT), size, balanced=True)
