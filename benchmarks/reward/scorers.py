"""Three scorers on the same pairs: ours, verl's ``math_verify``, and math-verify as its own page shows it."""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from benchmarks.reward.cpu_time import cpu_seconds
from benchmarks.reward.pairs import Pair

# verl calls a reward function from the default thread pool of an event loop.
_THREADS = 8
WORKERS = 2  # as many as there are cores
_WARM_UP = 64


class Scored(NamedTuple):
    """Verdicts in the order of the pairs, and the seconds that they took, without starting processes."""

    verdicts: list[bool]
    seconds: float
    cpu_seconds: float


def score_ours(pairs: Sequence[Pair], response: Callable[[Pair], str]) -> Scored:
    """``daro_verl.reward.math`` with two workers."""
    from daro_verl.reward.math import compute_score

    def score(pair: Pair) -> bool:
        return compute_score(solution_str=response(pair), ground_truth=pair.gold, workers=WORKERS)["acc"] == 1

    return _from_threads(score, pairs)


def score_verl(pairs: Sequence[Pair], response: Callable[[Pair], str]) -> Scored:
    """``verl.utils.reward_score.math_verify``, which has four processes of its own."""
    from verl.utils.reward_score.math_verify import compute_score

    return _from_threads(lambda pair: compute_score(response(pair), pair.gold) == 1, pairs)


def score_plain(pairs: Sequence[Pair], response: Callable[[Pair], str]) -> Scored:
    """``verify(parse(gold), parse(response))`` with the library's defaults, in two processes and without any limit
    but its own timeouts."""
    texts = [(rf"\boxed{{{pair.gold}}}", response(pair)) for pair in pairs]
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_verify_plainly, texts[:_WARM_UP]))
        return _timed(lambda: list(pool.map(_verify_plainly, texts, chunksize=16)))


def _verify_plainly(texts: tuple[str, str]) -> bool:
    from math_verify import parse, verify

    try:
        return bool(verify(parse(texts[0]), parse(texts[1])))
    except Exception:
        return False


def _from_threads(score: Callable[[Pair], bool], pairs: Sequence[Pair]) -> Scored:
    with ThreadPoolExecutor(_THREADS) as threads:
        list(threads.map(score, pairs[:_WARM_UP]))
        return _timed(lambda: list(threads.map(score, pairs)))


def _timed(score_all: Callable[[], list[bool]]) -> Scored:
    start, cpu_start = time.perf_counter(), cpu_seconds()
    verdicts = score_all()
    return Scored(verdicts, time.perf_counter() - start, cpu_seconds() - cpu_start)


SCORERS: dict[str, Callable[[Sequence[Pair]], Scored]] = {
    "daro_verl": partial(score_ours, response=lambda pair: pair.response),
    "verl_math_verify": partial(score_verl, response=lambda pair: pair.response),
    "plain_math_verify": partial(score_plain, response=lambda pair: pair.response),
}
