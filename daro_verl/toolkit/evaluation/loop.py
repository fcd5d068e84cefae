"""Rows through an engine, many at once, each recorded when it is whole."""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from daro_verl.toolkit.evaluation.engines import Engine
from daro_verl.toolkit.evaluation.errors import DaroEvaluationError
from daro_verl.toolkit.evaluation.problems import Problem
from daro_verl.toolkit.evaluation.prompts import Room
from daro_verl.toolkit.evaluation.records import LENGTH, NO_ROOM, STOP, Response, Row
from daro_verl.toolkit.evaluation.scoring import score

_JUDGES = 4  # threads that score; most answers take a tenth of a millisecond, hopeless ones their deadline


@dataclass(frozen=True)
class Ask:
    """A problem and its prompt's tokens."""

    problem: Problem
    prompt: list[int]


class Loop:
    """
    Args:
        engine: is not shut down here.
        room: see :class:`Room`.
        decode: tokens to the text that is scored.
        in_flight: most responses that the engine is asked for at once; a row with more runs alone.
    """

    def __init__(self, engine: Engine, room: Room, decode: Callable[[list[int]], str], in_flight: int) -> None:
        self._engine, self._room, self._decode, self._in_flight = engine, room, decode, in_flight
        self._judges = ThreadPoolExecutor(_JUDGES, "judge")

    async def run(self, asks: Iterable[Ask], on_row: Callable[[Row], None]) -> None:
        """Answer every row, in this order as far as there is room; ``on_row`` has each as it finishes.

        Any error ends the run; rows in flight are then lost.
        """
        waiting = list(asks)[::-1]
        running: dict[asyncio.Task[Row], int] = {}
        try:
            while waiting or running:
                while waiting and self._fits(running, waiting[-1].problem.num_responses):
                    ask = waiting.pop()
                    running[asyncio.create_task(self._row(ask))] = ask.problem.num_responses
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    del running[task]
                    on_row(task.result())
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            self._judges.shutdown(wait=False, cancel_futures=True)

    def _fits(self, running: dict[asyncio.Task[Row], int], num_responses: int) -> bool:
        return not running or sum(running.values()) + num_responses <= self._in_flight

    async def _row(self, ask: Ask) -> Row:
        problem, tokens = ask.problem, self._room.after(len(ask.prompt))
        if not tokens:
            nothing = Response(pred="", acc=0.0, timed_out=False, length=0, finish=NO_ROOM)
            return Row(problem.key, problem.benchmark, len(ask.prompt), (nothing,) * problem.num_responses)
        generated = await self._engine.generate(problem.key, ask.prompt, problem.num_responses, tokens)
        if len(generated) != problem.num_responses or any(item.finish not in (STOP, LENGTH) for item in generated):
            got = [item.finish for item in generated]
            raise DaroEvaluationError(
                f"The engine did not finish a row of {problem.benchmark}: {got}. Run again to go on"
            )
        judge = asyncio.get_running_loop().run_in_executor
        responses = await asyncio.gather(
            *(judge(self._judges, self._judge, problem, item.tokens, item.finish) for item in generated)
        )
        return Row(problem.key, problem.benchmark, len(ask.prompt), tuple(responses))

    def _judge(self, problem: Problem, tokens: list[int], finish: str) -> Response:
        return score(problem, self._decode(tokens), len(tokens), finish)
