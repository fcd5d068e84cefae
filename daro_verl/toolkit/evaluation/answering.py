"""Send many problems at once through an engine, score the responses, and pass on each complete row."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from daro_verl.errors import DaroDataError
from daro_verl.reward.extract import final_answer
from daro_verl.reward.math import compute_score
from daro_verl.toolkit.evaluation.benchmark_file import BenchmarkProblem
from daro_verl.toolkit.evaluation.inference import Engine, Generated
from daro_verl.toolkit.evaluation.rendering import TokenBudget
from daro_verl.toolkit.evaluation.row_file import LENGTH, NO_ROOM, STOP, Response, Row
from daro_verl.toolkit.evaluation.sample_seed import sample_seed

logger = logging.getLogger(__name__)
_LONGEST_PREDICTION = 200  # characters, as in the math reward
_SCORING_THREADS = 4  # threads that score; most answers take a tenth of a millisecond, hopeless ones their deadline


@dataclass(frozen=True)
class RenderedProblem:
    """A problem and its prompt's tokens."""

    problem: BenchmarkProblem
    prompt: list[int]


class AnsweringLoop:
    """Asks an engine for as many rows at once as may be in flight.

    Args:
        engine: the engine. It is not shut down here.
        budget: how many tokens a response may have.
        decode: turns tokens into the text for scoring.
        in_flight: most responses at once. A row with more responses runs alone.
        seed: seed of the run. Each response has its own, derived from it (:func:`sample_seed`).
    """

    def __init__(
        self, engine: Engine, budget: TokenBudget, decode: Callable[[list[int]], str], in_flight: int, seed: int
    ) -> None:
        self._engine, self._budget, self._decode = engine, budget, decode
        self._in_flight, self._seed = in_flight, seed
        self._threads = ThreadPoolExecutor(_SCORING_THREADS, "score")

    async def run(self, todo: Iterable[RenderedProblem], on_row: Callable[[Row], None]) -> None:
        """Answer every row in this order, as many at once as ``in_flight`` allows. ``on_row`` gets each finished row.

        Any error ends the run. Rows in flight are then lost.
        """
        waiting = list(todo)[::-1]
        running: dict[asyncio.Task[Row], int] = {}
        try:
            while waiting or running:
                while waiting and self._fits(running, waiting[-1].problem.num_responses):
                    item = waiting.pop()
                    running[asyncio.create_task(self._row(item))] = item.problem.num_responses
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    del running[task]
                    on_row(task.result())
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _fits(self, running: dict[asyncio.Task[Row], int], num_responses: int) -> bool:
        return not running or sum(running.values()) + num_responses <= self._in_flight

    async def _row(self, item: RenderedProblem) -> Row:
        problem, tokens = item.problem, self._budget.after(len(item.prompt))
        if not tokens:
            nothing = Response(pred="", acc=0.0, timed_out=False, length=0, finish=NO_ROOM)
            return Row(problem.key, problem.benchmark, len(item.prompt), (nothing,) * problem.num_responses)
        generated = await asyncio.gather(
            *(
                self._engine.generate(
                    f"{problem.key}-{number}", item.prompt, sample_seed(self._seed, problem.key, number), tokens
                )
                for number in range(problem.num_responses)
            )
        )
        if any(output.finish not in (STOP, LENGTH) for output in generated):
            got = [output.finish for output in generated]
            raise DaroDataError(f"The engine did not finish a row of {problem.benchmark}: {got}. Run again to go on")
        run = asyncio.get_running_loop().run_in_executor
        responses = await asyncio.gather(*(run(self._threads, self._score, problem, output) for output in generated))
        return Row(problem.key, problem.benchmark, len(item.prompt), tuple(responses))

    def _score(self, problem: BenchmarkProblem, output: Generated) -> Response:
        digest = hashlib.sha256(repr(output.tokens).encode()).hexdigest()[:16]
        response = score(problem, self._decode(output.tokens), len(output.tokens), output.finish)
        return replace(response, digest=digest)


def score(problem: BenchmarkProblem, text: str, length: int, finish: str) -> Response:
    """Score a response's text, decoded without special tokens as in verl. You can call this from many threads.

    If the math reward cannot decide an answer, or a task's own scorer fails on it, the response is ``timed_out``. It
    counts as not right, and is shown as a timeout.
    """
    if problem.scorer:
        return _score_task(problem, text, length, finish)
    verdict = compute_score(data_source=problem.benchmark, solution_str=text, ground_truth=problem.gold)
    return Response(verdict["pred"], verdict["acc"], verdict["timed_out"], length, finish)


def _score_task(problem: BenchmarkProblem, text: str, length: int, finish: str) -> Response:
    """reasoning-gym's own score of the last box's content. The response is right at the row's threshold or above."""
    import reasoning_gym

    answer = final_answer(text)
    if answer is None:
        return Response("", 0.0, False, length, finish)
    pred = answer[:_LONGEST_PREDICTION]
    try:
        value = reasoning_gym.get_score_answer_fn(problem.scorer)(answer, json.loads(problem.entry))
    except Exception:  # a scorer is foreign code, and may raise anything
        logger.warning("The scorer of %s failed on %.100r", problem.scorer, answer, exc_info=True)
        return Response(pred, 0.0, True, length, finish)
    return Response(pred, float(value >= problem.threshold), False, length, finish)
