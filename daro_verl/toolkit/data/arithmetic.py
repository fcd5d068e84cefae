"""Sums, products and word problems, each after one worked example: a task for a small pretrained model.

SmolLM2-135M answers a part of each level. Where it fails it rambles: its wrong responses are longer than its right
ones, as those of large models on competition problems are.
"""

import random
from collections.abc import Callable

NAMES = ("Tom", "Anna", "Ben", "Mia", "Sam", "Lily", "Jack", "Emma", "Leo", "Zoe")
THINGS = ("apples", "books", "coins", "pens", "cards", "shells", "stamps", "cookies")
Problem = tuple[str, str]
"""A question and its answer."""


def short_sum(rng: random.Random) -> Problem:
    a, b = rng.randint(1, 9), rng.randint(1, 9)
    return f"What is {a} + {b}?", str(a + b)


def product(rng: random.Random) -> Problem:
    a, b = rng.randint(1, 9), rng.randint(1, 9)
    return f"What is {a} * {b}?", str(a * b)


def long_sum(rng: random.Random) -> Problem:
    a, b = rng.randint(10, 99), rng.randint(10, 99)
    return f"What is {a} + {b}?", str(a + b)


def word_problem(rng: random.Random) -> Problem:
    name, thing, a, b = rng.choice(NAMES), rng.choice(THINGS), rng.randint(2, 20), rng.randint(2, 20)
    if rng.randrange(2):
        return f"{name} has {a} {thing} and buys {b} more. How many {thing} does {name} have now?", str(a + b)
    return f"{name} has {a + b} {thing} and gives away {b}. How many {thing} does {name} have left?", str(a)


LEVELS: dict[str, tuple[Callable[[random.Random], Problem], tuple[str, str]]] = {
    "short sums": (short_sum, ("What is 4 + 3?", "4 + 3 = 7")),
    "products": (product, ("What is 3 * 4?", "3 * 4 = 12")),
    "long sums": (long_sum, ("What is 35 + 48?", "35 + 48 = 83")),
    "word problems": (
        word_problem,
        ("Max has 7 balls and buys 5 more. How many balls does Max have now?", "7 + 5 = 12"),
    ),
}
"""By name: what draws a problem, and the worked example before each, easiest first."""


def draw_split(size: int, seed: int, exclude: frozenset[str] = frozenset()) -> list[tuple[str, Problem]]:
    """About ``size`` different problems with their levels, the levels in turn, no question of ``exclude``.

    A level whose problems are used up ends early: the splits of the one-digit levels are small.
    """
    rng, seen = random.Random(seed), set(exclude) | {example[0] for _, example in LEVELS.values()}
    problems: list[tuple[str, Problem]] = []
    for index in range(size):
        level = list(LEVELS)[index % len(LEVELS)]
        for _ in range(200):
            problem = LEVELS[level][0](rng)
            if problem[0] not in seen:
                seen.add(problem[0])
                problems.append((level, problem))
                break
    return problems


def messages(level: str, question: str, boxed: bool = False) -> list[dict[str, str]]:
    r"""The worked example as an earlier turn, then the question.

    Args:
        boxed: the example ends in ``\boxed{}``, and so do most answers of a model that follows it.
    """
    asked, answer = LEVELS[level][1]
    answer += rf", \boxed{{{answer.rpartition(' ')[2]}}}" if boxed else ""
    turns = (("user", asked), ("assistant", answer), ("user", question))
    return [{"role": role, "content": content} for role, content in turns]
