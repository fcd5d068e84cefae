"""The task: a chain of additions, subtractions and multiplications, of which only the last digit counts.

A prompt is ``3 +8 -5 _ _ _ _ =``: a digit and two to six steps, filled up to a fixed width. A response writes the last
digit of every intermediate result, ``1 6 $``. A checker marks digits as they are written, ``1 7! $``. From the first
wrong digit on, every digit has a mark. The model sees the mark and cannot remove it, like the output of a failed test.
A response may also doubt, ``?``, any number of times, which changes only its length. It is right if it has an unmarked
digit for each step, and ends. The length limit cuts off responses that doubt for too long.

The model writes *symbols* (digits, ``?``, ``$``) and reads *tokens*. Everything here works on whole batches. Shapes:
``L`` is the longest chain, ``P`` the prompt's width, ``R`` the limit of a response.
"""

from dataclasses import dataclass

import numpy as np
import torch

BASE = 10
OPERATIONS = "+-*"
DIGITS = tuple(map(str, range(BASE)))
SYMBOLS = (*DIGITS, "?", "$")
STEPS = tuple(operation + digit for operation in OPERATIONS for digit in DIGITS)
TOKENS = (*SYMBOLS, *(digit + "!" for digit in DIGITS), *STEPS, "=", "_")
DOUBT, END, MARKED, FIRST_STEP, EQUALS, PAD = map(TOKENS.index, ("?", "$", "0!", "+0", "=", "_"))

LEVELS = (2, 3, 4, 5, 6)  # difficulty = number of steps
LONGEST = LEVELS[-1]
PROMPT_LENGTH = LONGEST + 2
MAX_RESPONSE_LENGTH = 24  # tokens, the end included


@dataclass(frozen=True)
class Problems:
    """A batch of problems.

    Attributes:
        digits: [n, L + 1] int64, the numbers; those beyond the chain's end are unused.
        operations: [n, L] int64, 0 to 2 for plus, minus, times.
        level: [n] int64, steps of the chain.
    """

    digits: np.ndarray
    operations: np.ndarray
    level: np.ndarray

    def __len__(self) -> int:
        return len(self.level)

    def pick(self, places: np.ndarray) -> "Problems":
        """Some of them, in that order."""
        return Problems(self.digits[places], self.operations[places], self.level[places])

    def results(self) -> torch.Tensor:
        """[n, L] int64: the right digit of each step, -1 beyond the chain's end."""
        value, columns = self.digits[:, 0], []
        for step in range(LONGEST):
            value = apply(self.operations[:, step], value, self.digits[:, step + 1])
            columns.append(value)
        inside = np.arange(LONGEST) < self.level[:, None]
        return torch.from_numpy(np.where(inside, np.stack(columns, axis=1), -1))

    def prompts(self) -> torch.Tensor:
        """[n, P] int64 token ids."""
        tokens = np.full((len(self), PROMPT_LENGTH), PAD)
        tokens[:, 0], tokens[:, -1] = self.digits[:, 0], EQUALS
        steps = FIRST_STEP + BASE * self.operations + self.digits[:, 1:]
        tokens[:, 1:-1] = np.where(np.arange(LONGEST) < self.level[:, None], steps, PAD)
        return torch.from_numpy(tokens)


def apply(operation: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The last digit of ``left`` plus, minus or times ``right``."""
    return np.choose(operation, (left + right, left - right, left * right)) % BASE


def draw_problems(rng: np.random.Generator, size: int, balanced: bool = False) -> Problems:
    """``size`` problems, every level equally likely; ``balanced`` takes the levels in turn."""
    digits = rng.integers(0, BASE, (size, LONGEST + 1))
    operations = rng.integers(0, len(OPERATIONS), (size, LONGEST))
    level = np.resize(LEVELS, size) if balanced else rng.choice(LEVELS, size)
    return Problems(digits, operations, level)


class Checker:
    """Marks the digits of a batch of responses as they are written.

    Attributes:
        results: [n, L] the right digits, -1 beyond the chain's end.
    """

    def __init__(self, results: torch.Tensor) -> None:
        self.results = torch.nn.functional.pad(results, (0, 1), value=-1)
        self.step = torch.zeros(len(results), dtype=torch.int64)
        self.lost = torch.zeros(len(results), dtype=torch.bool)

    def mark(self, symbols: torch.Tensor) -> torch.Tensor:
        """[n] the tokens for the next symbol of each response."""
        is_digit = symbols < BASE
        expected = self.results.gather(1, self.step.unsqueeze(1)).squeeze(1)
        self.lost = self.lost | (is_digit & (symbols != expected))
        self.step = (self.step + is_digit).clamp(max=LONGEST)
        return torch.where(is_digit & self.lost, symbols + MARKED, symbols)

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with some of the responses only."""
        self.results, self.step, self.lost = self.results[rows], self.step[rows], self.lost[rows]


def symbols_of(tokens: torch.Tensor) -> torch.Tensor:
    """The symbols that were written, from tokens of any shape; padding becomes ``END``."""
    return torch.where((tokens >= MARKED) & (tokens < FIRST_STEP), tokens - MARKED, tokens).clamp(max=END)


def is_right(responses: torch.Tensor, results: torch.Tensor) -> torch.Tensor:
    """[n] bool, from tokens [n, R] and :meth:`Problems.results`."""
    num_right = (responses < BASE).sum(dim=1)
    is_marked = ((responses >= MARKED) & (responses < FIRST_STEP)).any(dim=1)
    return ~is_marked & (num_right == (results >= 0).sum(dim=1)) & ~is_cut_off(responses)


def is_cut_off(responses: torch.Tensor) -> torch.Tensor:
    """[n] bool: the response reached the length limit without an end."""
    return ~(responses == END).any(dim=1)


def lengths(responses: torch.Tensor) -> torch.Tensor:
    """[n] tokens of each response, the end included."""
    return (responses != PAD).sum(dim=1)


def show(tokens: torch.Tensor) -> str:
    """One row of token ids as text, without padding."""
    return " ".join(TOKENS[token] for token in tokens.tolist() if token != PAD)
