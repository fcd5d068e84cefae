"""The task of the real model: sums, products and word problems, in six levels.

Four levels have a worked example in the prompt, two do not. Wrong responses are two to three times as long as right
ones, and DARO's weights learn from that gap. The last number of a response counts as its answer.
"""

import re
from pathlib import Path

from datasets import Dataset, disable_progress_bars

from daro_verl.toolkit.data.exercises import PLAIN, WORKED, Problem, messages, train_and_test

NUM_TRAIN, NUM_TEST = 240, 96  # the same number of each level, but there are only 64 plain sums and differences each
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
LEVELS = WORKED | PLAIN
SOURCES = {level: f"smollm2_{level.replace(' ', '_')}" for level in LEVELS}
"""The data source of each level. verl validates per data source."""


def is_right(response: str, answer: str) -> bool:
    """Whether the last number of ``response`` is ``answer``."""
    numbers = NUMBER.findall(response)
    return bool(numbers) and float(numbers[-1].replace(",", "")) == float(answer)


def as_row(level: str, problem: Problem, split: str, index: int) -> dict:
    """One row in the schema of verl's ``RLHFDataset``."""
    return {
        "data_source": SOURCES[level],
        "prompt": messages(LEVELS[level], problem[0]),
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": problem[1]},
        "extra_info": {"split": split, "index": index, "level": level},
    }


def build_data(directory: Path, num_train: int = NUM_TRAIN, num_test: int = NUM_TEST) -> dict[str, Path]:
    """Write ``train.parquet`` and ``test.parquet``, which share no question, and return their paths by split."""
    directory.mkdir(parents=True, exist_ok=True)
    disable_progress_bars()
    splits = dict(zip(("train", "test"), train_and_test(LEVELS, num_train, num_test), strict=True))
    paths = {split: directory / f"{split}.parquet" for split in splits}
    for split, problems in splits.items():
        rows = [as_row(level, problem, split, index) for index, (level, problem) in enumerate(problems)]
        partial = paths[split].with_suffix(".partial")
        Dataset.from_list(rows).to_parquet(str(partial))
        partial.rename(paths[split])
    return paths
