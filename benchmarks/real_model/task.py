"""The task of the comparison on a real model: sums, differences and products, without worked examples.

Without worked examples, a pretrained model rambles where it is lost. At the start, its wrong responses are 1.8 times as
long as its right ones. With worked examples in the prompt, both would be about as long. The last number of a response
is its answer. A response that is cut off at the limit is wrong.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.convergence.streams import HELD_OUT, HELD_OUT_SEED, PROMPTS, numpy_stream
from examples.quickstart.smollm2.task import is_right as last_number_is

LEVELS = ("short sums", "differences", "products", "long sums")


@dataclass(frozen=True)
class Problem:
    level: str
    question: str
    answer: str


def draw(level: str, rng: np.random.Generator) -> Problem:
    """One problem of the level, uniform over its numbers."""
    a, b = (int(number) for number in rng.integers(2, 10, 2))
    tens = 10 * int(rng.integers(1, 10))
    term, result = {
        "short sums": (f"{a} + {b}", a + b),
        "differences": (f"{a + b} - {b}", a),
        "products": (f"{a} * {b}", a * b),
        "long sums": (f"{tens + a} + {b}", tens + a + b),
    }[level]
    return Problem(level, f"What is {term}? Answer with a number.", str(result))


def held_out(size: int) -> list[Problem]:
    """``size`` different problems, the levels in turn; the same in all runs."""
    return _different(numpy_stream(HELD_OUT_SEED, HELD_OUT), size, frozenset())


def training(seed: int, step: int, generation: int, size: int, exclude: frozenset[str]) -> list[Problem]:
    """Problems of round ``step``, different from one another, no question of ``exclude``."""
    return _different(numpy_stream(seed, PROMPTS, step, generation), size, exclude)


def _different(rng: np.random.Generator, size: int, exclude: frozenset[str]) -> list[Problem]:
    problems: dict[str, Problem] = {}
    while len(problems) < size:
        problem = draw(LEVELS[len(problems) % len(LEVELS)], rng)
        if problem.question not in exclude:
            problems.setdefault(problem.question, problem)
    return list(problems.values())


def is_right(response: str, answer: str, has_ended: bool) -> bool:
    """Whether the response ended by itself and its last number is the answer."""
    return has_ended and last_number_is(response, answer)
