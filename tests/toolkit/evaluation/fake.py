"""An engine that stands for vLLM in tests that start none: it answers with what it was told, in tokens of bytes."""

import asyncio
import re
from collections.abc import Callable

from daro_verl.toolkit.evaluation.inference import Generated


class FakeEngine:
    """Answers ``answer(question, index)`` and keeps the seeds; stops the run, as Ctrl-C does, when ``num_rows`` rows
    were asked."""

    version = "1.0"

    def __init__(self, tokenizer, answer: Callable[[str, int], str], num_rows: int | None = None) -> None:
        self._tokenizer, self._answer, self._num_rows = tokenizer, answer, num_rows
        self.asked: list[str] = []
        self.seeds: dict[tuple[str, int], int] = {}
        self.most_in_flight = self._in_flight = 0
        self.is_down = False

    async def generate(self, name: str, prompt: list[int], seed: int, max_tokens: int) -> Generated:
        index = int(name.rpartition("-")[2])
        if index == 0 and self._num_rows is not None and len(self.asked) >= self._num_rows:
            raise KeyboardInterrupt
        text = self._tokenizer.decode(prompt)
        question = re.search(r"<\|im_start\|>user\n(.*)<\|im_end\|>", text, re.DOTALL)[1]
        if index == 0:
            self.asked.append(question)
        self.seeds[question, index] = seed
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        await asyncio.sleep(0)
        self._in_flight -= 1
        return self._generated(self._answer(question, index), max_tokens)

    def shutdown(self) -> None:
        self.is_down = True

    def _generated(self, text: str, max_tokens: int) -> Generated:
        tokens = [*self._tokenizer.encode(text, add_special_tokens=False), self._tokenizer.eos_token_id]
        return Generated(tokens[:max_tokens], "stop" if len(tokens) <= max_tokens else "length")
