"""Sums, products and word problems: a task for a small pretrained model.

SmolLM2-135M answers a part of each level. Where it fails, it rambles. Its wrong responses are longer than its right
ones, like those of large models on competition problems. After a worked example it rambles less. Without one it rambles
most of the time.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

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


def plain_sum(rng: random.Random) -> Problem:
    a, b = rng.randint(2, 9), rng.randint(2, 9)
    return f"What is {a} + {b}? Answer with a number.", str(a + b)


def plain_difference(rng: random.Random) -> Problem:
    a, b = rng.randint(2, 9), rng.randint(2, 9)
    return f"What is {a + b} - {b}? Answer with a number.", str(a)


@dataclass(frozen=True)
class Level:
    """Problems of one kind.

    Attributes:
        draw: draws one problem.
        example: a worked problem, as an earlier turn of the chat; None if the question stands alone.
    """

    draw: Callable[[random.Random], Problem]
    example: Problem | None = None


WORKED = {
    "short sums": Level(short_sum, ("What is 4 + 3?", "4 + 3 = 7")),
    "products": Level(product, ("What is 3 * 4?", "3 * 4 = 12")),
    "long sums": Level(long_sum, ("What is 35 + 48?", "35 + 48 = 83")),
    "word problems": Level(
        word_problem, ("Max has 7 balls and buys 5 more. How many balls does Max have now?", "7 + 5 = 12")
    ),
}
"""Levels with a worked example. SmolLM2 answers 0.6, 0.7, 0.2 and 0.1 of them right, in the form of the example."""

PLAIN = {"plain differences": Level(plain_difference), "plain sums": Level(plain_sum)}
"""Levels without an example. SmolLM2 answers about 0.1 right. Its wrong responses are several times as long."""


def draw_split(
    levels: Mapping[str, Level], size: int, seed: int, exclude: frozenset[str] = frozenset()
) -> list[tuple[str, Problem]]:
    """About ``size`` different problems with their levels' names. Levels take turns, and no question is in ``exclude``.

    A level ends early when its problems are used up, so the splits of the one-digit levels are small.
    """
    rng, seen = random.Random(seed), set(exclude) | {level.example[0] for level in levels.values() if level.example}
    problems: list[tuple[str, Problem]] = []
    for index in range(size):
        level = list(levels)[index % len(levels)]
        for _ in range(200):
            problem = levels[level].draw(rng)
            if problem[0] not in seen:
                seen.add(problem[0])
                problems.append((level, problem))
                break
    return problems


def train_and_test(
    levels: Mapping[str, Level], num_train: int, num_test: int
) -> tuple[list[tuple[str, Problem]], list[tuple[str, Problem]]]:
    """Two splits that share no question. They are always the same."""
    test = draw_split(levels, num_test, seed=1)
    return draw_split(levels, num_train, seed=2, exclude=frozenset(question for _, (question, _) in test)), test


def messages(level: Level, question: str, boxed: bool = False) -> list[dict[str, str]]:
    r"""The chat up to the answer: the worked example, if the level has one, then the question.

    Args:
        boxed: whether the example ends in ``\boxed{}``. Then most answers of a model that follows the example do, too.
    """
    turns = [("user", question)]
    if level.example is not None:
        asked, answer = level.example
        answer += rf", \boxed{{{answer.rpartition(' ')[2]}}}" if boxed else ""
        turns = [("user", asked), ("assistant", answer), *turns]
    return [{"role": role, "content": content} for role, content in turns]
