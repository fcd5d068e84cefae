"""The writers of the warm start's solutions. Each fact of arithmetic has its own error rate.

A fact is an operation with its two digits, ``7*8``. Facts that are rarely wrong are easy. The difficulty of a chain
follows from its facts and its length, so difficulties spread. Writers who see that they are lost may doubt again and
again, until they are cut off. Doubting follows an error and does not cause one. So reinforcement learning has no reason
to remove it, and failures stay longer as long as there are failures.
"""

from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.convergence.regimes import Writing
from benchmarks.convergence.task import (
    BASE,
    DOUBT,
    END,
    LEVELS,
    LONGEST,
    MAX_RESPONSE_LENGTH,
    OPERATIONS,
    PAD,
    Checker,
    Problems,
    apply,
)

HARDEST = 0.98  # error rate of the hardest fact: the right digit stays within reach of sampling


@dataclass(frozen=True)
class Facts:
    """What the writers of one seed believe about each fact; [3, BASE, BASE] by operation, left and right digit.

    Attributes:
        error_rate: how often they answer wrongly.
        misconception: the wrong digit that they write then. Where the error rate is above one half it is what they
            would say first: the model must change its mind there, and not only become more certain.
    """

    error_rate: np.ndarray
    misconception: np.ndarray


def draw_facts(rng: np.random.Generator, writing: Writing) -> Facts:
    """Error rates at the same quantiles of a Beta distribution for every seed, at most ``HARDEST``, dealt at random;
    misconceptions uniform over the wrong digits.
    """
    operation, left, right = np.indices((len(OPERATIONS), BASE, BASE))
    concentration = 1 / writing.error_spread - 1
    of_errors = concentration * np.array([writing.error_rate, 1 - writing.error_rate])
    places = (np.arange(operation.size) + 0.5) / operation.size
    rates = np.quantile(np.random.default_rng(0).beta(*of_errors, 100_000), places).clip(max=HARDEST)
    misconception = (apply(operation, left, right) + rng.integers(1, BASE, operation.shape)) % BASE
    return Facts(rng.permutation(rates).reshape(operation.shape), misconception)


def write_solutions(problems: Problems, facts: Facts, writing: Writing, rng: np.random.Generator) -> torch.Tensor:
    """[n, R] token ids of one solution per problem, cut off at the limit."""
    digits, lost = _digits_with_errors(problems, facts, rng)
    step, last = np.arange(LONGEST), problems.level[:, None] - 1
    doubts = (step == last) * _runs(writing.doubt_at_end, writing.go_on_at_end, digits.shape, rng)
    doubt = writing.doubt_when_lost * (LEVELS[0] / problems.level[:, None]) ** writing.easy_doubt_more
    doubts += lost * _runs(doubt, writing.go_on_when_lost, digits.shape, rng)
    shape = len(problems), 2 * LONGEST + 1
    symbols, counts = np.full(shape, END), np.ones(shape, dtype=int)
    symbols[:, 0:-1:2], counts[:, 0:-1:2] = digits, step <= last
    symbols[:, 1:-1:2], counts[:, 1:-1:2] = DOUBT, doubts * (step <= last)
    return _marked(torch.from_numpy(_lay_out(symbols, counts)), problems)


def _runs(begin: float | np.ndarray, go_on: float, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Lengths of runs of doubts: 0 unless one begins, then a geometric number."""
    return (rng.random(shape) < begin) * rng.geometric(1 - go_on, shape)


def _digits_with_errors(problems: Problems, facts: Facts, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """[n, L] the digit written at each step, and whether an error was made there or before; errors are carried on."""
    value, lost, digits, is_lost = problems.digits[:, 0], False, [], []
    for step in range(LONGEST):
        fact = problems.operations[:, step], value, problems.digits[:, step + 1]
        is_wrong = rng.random(len(problems)) < facts.error_rate[fact]
        value, lost = np.where(is_wrong, facts.misconception[fact], apply(*fact)), lost | is_wrong
        digits.append(value)
        is_lost.append(lost)
    return np.stack(digits, axis=1), np.stack(is_lost, axis=1)


def _lay_out(symbols: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """[n, R] each row's symbols in turn, each as often as ``counts`` says, padded or cut off."""
    laid_out, lengths = np.full((len(symbols), MAX_RESPONSE_LENGTH), PAD), counts.sum(axis=1)
    rows = np.repeat(np.arange(len(symbols)), lengths)
    places = np.arange(len(rows)) - np.repeat(lengths.cumsum() - lengths, lengths)
    inside = places < MAX_RESPONSE_LENGTH
    laid_out[rows[inside], places[inside]] = np.repeat(symbols.ravel(), counts.ravel())[inside]
    return laid_out


def _marked(symbols: torch.Tensor, problems: Problems) -> torch.Tensor:
    checker = Checker(problems.results())
    return torch.stack([checker.mark(column) for column in symbols.unbind(dim=1)], dim=1)
