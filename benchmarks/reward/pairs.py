"""Pairs of a response and a gold answer, with the label that the construction gives them."""

from random import Random
from typing import NamedTuple

from benchmarks.reward.formats import FORMATS

# Questions of each benchmark; a pair's benchmark is drawn with these weights.
_SIZES = {"aime24": 30, "aime25": 30, "amc": 83, "math500": 500, "minerva": 272, "olympiadbench": 675}
_RIGHT_SHARE = 0.5


class Pair(NamedTuple):
    """``right`` is known by construction."""

    source: str
    gold: str
    answer: str
    right: bool

    @property
    def response(self) -> str:
        """A short response that ends with the answer."""
        return rf"So the result follows. $\boxed{{{self.answer}}}$"

    @property
    def thinking_response(self) -> str:
        """The same after thinking that has other boxes, and one that repeats the gold answer."""
        return rf"<think>Maybe \boxed{{0}} or \boxed{{{self.gold}}}?</think>\nFirst \boxed{{77}}. {self.response}"


def make_pairs(number: int, seed: int = 0) -> list[Pair]:
    """``number`` pairs, in random order, the same for the same seed."""
    rng = Random(seed)
    pairs = []
    for source in rng.choices(list(_SIZES), weights=list(_SIZES.values()), k=number):
        item = rng.choice(FORMATS[source])(rng)
        right = rng.random() < _RIGHT_SHARE
        pairs.append(Pair(source, item.gold, rng.choice(item.right if right else item.wrong), right))
    return pairs


def gold_answers(per_format: int, seed: int = 0) -> list[tuple[str, str]]:
    """``(benchmark, gold)`` for every format of every benchmark."""
    rng = Random(seed)
    return [
        (source, make(rng).gold) for source, formats in FORMATS.items() for make in formats for _ in range(per_format)
    ]
