"""The task: sums of three to six digits, solved in writing, one partial sum at a time.

A prompt is ``3+8+5=``. Its solution lists the partial sums, ``11,16``. The last number is the answer. A careless writer
doubts a partial sum (``?``), writes another, and sometimes goes on with a wrong one: ``12?13?11,15``. Careless
solutions are longer and more often wrong, like the failed responses of language models. DARO's weights learn from that
gap in length. On policy, the loss of the bin with pass rate ``mu`` is

    L_k = mu (1 - mu) (len_failed - len_successful) / len_mean
"""

import random
import re
from dataclasses import dataclass
from pathlib import Path

from datasets import Dataset, disable_progress_bars

LEVELS = (2, 3, 4, 5)  # difficulty = number of additions
SOURCE_OF_LEVEL = {level: f"sum_level{level}" for level in LEVELS}  # verl validates per data source
NUM_TRAIN, NUM_TEST = 2000, 160  # there are 729 problems of the first level, which bounds NUM_TRAIN
STEP, DOUBT = ",", "?"
DOUBT_RATE = 0.25  # how often the first draft of a partial sum is wrong, and doubted
DOUBT_AGAIN_RATE = 0.8  # how often a second, third, ... draft is wrong and doubted too
GIVE_UP_RATE = 0.6  # how often a doubted partial sum stays wrong in the end
MAX_RESPONSE_LENGTH = 48  # tokens = bytes; a solution that rambles beyond is cut off, and wrong


@dataclass(frozen=True)
class Problem:
    """A sum of ``level + 1`` numbers from 1 to 9."""

    terms: tuple[int, ...]

    @property
    def level(self) -> int:
        return len(self.terms) - 1

    @property
    def prompt(self) -> str:
        return "+".join(map(str, self.terms)) + "="

    @property
    def answer(self) -> str:
        return str(sum(self.terms))


def draw_problem(rng: random.Random, level: int) -> Problem:
    return Problem(tuple(rng.randrange(1, 10) for _ in range(level + 1)))


def worked_solution(problem: Problem, rng: random.Random, careless: bool = False) -> str:
    """The partial sums of ``problem``. A careless solution doubts and rewrites them, and may be wrong."""
    total, text = problem.terms[0], []
    for term in problem.terms[1:]:
        total += term
        drafts = ""
        while careless and rng.random() < (DOUBT_AGAIN_RATE if drafts else DOUBT_RATE):
            drafts += f"{_wrong(total, rng)}{DOUBT}"
        if drafts and rng.random() < GIVE_UP_RATE:
            total = _wrong(total, rng)
        text.append(f"{drafts}{total}")
    return STEP.join(text)


def _wrong(value: int, rng: random.Random) -> int:
    return max(0, value + rng.choice((-2, -1, 1, 2)))


def is_right(solution: str, answer: str) -> bool:
    """Whether the last number of ``solution`` is ``answer``. A solution cut off at the length limit is wrong."""
    if len(solution.encode()) >= MAX_RESPONSE_LENGTH:
        return False
    last = re.search(rf"(?:^|[{STEP}{DOUBT}])(\d+)$", solution)
    return last is not None and last.group(1) == answer


def draw_split(size: int, seed: int, exclude: frozenset[Problem] = frozenset()) -> list[Problem]:
    """``size`` different problems from all levels in turn, none of them in ``exclude``."""
    rng, seen, problems = random.Random(seed), set(exclude), []
    while len(problems) < size:
        problem = draw_problem(rng, LEVELS[len(problems) % len(LEVELS)])
        if problem not in seen:
            seen.add(problem)
            problems.append(problem)
    return problems


def as_row(problem: Problem, split: str, index: int) -> dict:
    """One row in the schema of verl's ``RLHFDataset``."""
    return {
        "data_source": SOURCE_OF_LEVEL[problem.level],
        "prompt": [{"role": "user", "content": problem.prompt}],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": problem.answer},
        "extra_info": {"split": split, "index": index, "difficulty": problem.level},
    }


def held_out_problems(size: int = NUM_TEST) -> list[Problem]:
    """The test split, balanced over the levels. Neither the warm start nor RL trains on it."""
    return draw_split(size, seed=1)


def build_data(directory: Path, num_train: int = NUM_TRAIN, num_test: int = NUM_TEST) -> dict[str, Path]:
    """Write ``train.parquet`` and ``test.parquet``, which share no problem, and return their paths by split."""
    directory.mkdir(parents=True, exist_ok=True)
    disable_progress_bars()
    test = held_out_problems(num_test)
    splits = {"train": draw_split(num_train, seed=2, exclude=frozenset(test)), "test": test}
    paths = {}
    for split, problems in splits.items():
        paths[split] = directory / f"{split}.parquet"
        rows = [as_row(problem, split, index) for index, problem in enumerate(problems)]
        partial = paths[split].with_suffix(".partial")
        Dataset.from_list(rows).to_parquet(str(partial))
        partial.rename(paths[split])
    return paths
