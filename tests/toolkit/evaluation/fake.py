"""An engine that stands for vLLM in tests that start none: it answers with what it was told, in tokens of bytes."""

import asyncio
import re
from collections.abc import Callable

from daro_verl.toolkit.evaluation.inference import Generated


class FakeEngine:
    """Answers ``answer(question, index)``; stops the run, as Ctrl-C does, when ``num_rows`` were asked."""

    def __init__(self, tokenizer, answer: Callable[[str, int], str], num_rows: int | None = None) -> None:
        self._tokenizer, self._answer, self._num_rows = tokenizer, answer, num_rows
        self.asked: list[str] = []
        self.most_in_flight = self._in_flight = 0
        self.is_down = False

    async def generate(self, key: str, prompt: list[int], num_responses: int, max_tokens: int) -> list[Generated]:
        if self._num_rows is not None and len(self.asked) >= self._num_rows:
            raise KeyboardInterrupt
        text = self._tokenizer.decode(prompt)
        question = re.search(r"<\|im_start\|>user\n(.*)<\|im_end\|>", text, re.DOTALL)[1]
        self.asked.append(question)
        self._in_flight += num_responses
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        await asyncio.sleep(0)
        self._in_flight -= num_responses
        return [self._generated(self._answer(question, index), max_tokens) for index in range(num_responses)]

    def shutdown(self) -> None:
        self.is_down = True

    def _generated(self, text: str, max_tokens: int) -> Generated:
        tokens = [*self._tokenizer.encode(text, add_special_tokens=False), self._tokenizer.eos_token_id]
        return Generated(tokens[:max_tokens], "stop" if len(tokens) <= max_tokens else "length")
