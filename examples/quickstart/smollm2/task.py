"""The task of the real model: sums, products and word problems, each after one worked example.

SmolLM2 answers a part of each level. Where it fails it rambles: its wrong responses are up to twice as long as its
right ones, as those of large models on competition problems are, and DARO's weights learn from that gap. The last
number of a response counts as its answer.
"""

import random
import re
from collections.abc import Callable
from pathlib import Path

from datasets import Dataset, disable_progress_bars

NAMES = ("Tom", "Anna", "Ben", "Mia", "Sam", "Lily", "Jack", "Emma", "Leo", "Zoe")
THINGS = ("apples", "books", "coins", "pens", "cards", "shells", "stamps", "cookies")
NUM_TRAIN, NUM_TEST = 224, 96  # as many of each level; of one digit there are only 80 sums and 80 products to draw
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
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

SOURCES = {level: f"smollm2_{level.replace(' ', '_')}" for level in LEVELS}
"""verl validates per data source."""


def is_right(response: str, answer: str) -> bool:
    """Whether the last number of ``response`` is ``answer``."""
    numbers = NUMBER.findall(response)
    return bool(numbers) and float(numbers[-1].replace(",", "")) == float(answer)


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


def as_row(level: str, problem: Problem, split: str, index: int) -> dict:
    """One row in the schema of verl's ``RLHFDataset``: the worked example as an earlier turn, then the question."""
    question, answer = LEVELS[level][1]
    turns = (("user", question), ("assistant", answer), ("user", problem[0]))
    return {
        "data_source": SOURCES[level],
        "prompt": [{"role": role, "content": content} for role, content in turns],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": problem[1]},
        "extra_info": {"split": split, "index": index, "level": level},
    }


def build_data(directory: Path, num_train: int = NUM_TRAIN, num_test: int = NUM_TEST) -> dict[str, Path]:
    """Write ``train.parquet`` and ``test.parquet``, which share no question, and return their paths by split."""
    directory.mkdir(parents=True, exist_ok=True)
    disable_progress_bars()
    test = draw_split(num_test, seed=1)
    splits = {"train": draw_split(num_train, seed=2, exclude=frozenset(q for _, (q, _) in test)), "test": test}
    paths = {split: directory / f"{split}.parquet" for split in splits}
    for split, problems in splits.items():
        rows = [as_row(level, problem, split, index) for index, (level, problem) in enumerate(problems)]
        partial = paths[split].with_suffix(".partial")
        Dataset.from_list(rows).to_parquet(str(partial))
        partial.rename(paths[split])
    return paths
