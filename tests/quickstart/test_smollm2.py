"""The task of the real model: problems, answers and the files that verl reads."""

import pandas as pd
import pytest

from daro_verl.toolkit.data.exercises import WORKED, draw_split
from examples.quickstart.smollm2 import TASK
from examples.quickstart.smollm2.reward import compute_score
from examples.quickstart.smollm2.task import LEVELS, SOURCES, build_data, is_right


@pytest.mark.parametrize(
    ("response", "right"),
    [
        ("3 + 4 = 7", True),
        ("The answer is 7.", True),
        ("7.0", True),
        ("It is 7, because 3 and 4 make 8", False),
        ("seven", False),
        ("", False),
        ("1,007", False),
    ],
)
def test_the_last_number_is_the_answer(response, right):
    assert is_right(response, "7") == right
    assert compute_score("smollm2_products", response, "7")["score"] == float(right)


@pytest.mark.parametrize("level", WORKED)
def test_worked_examples_are_right(level):
    (question, answer), name = WORKED[level].example, SOURCES[level]
    numbers = [int(word.strip("?.")) for word in question.split() if word.strip("?.").isdigit()]
    total = numbers[0] * numbers[1] if "*" in question else sum(numbers)
    assert is_right(answer, str(total)) and name in TASK.sources.values()


def test_splits_share_no_question(tmp_path):
    paths = build_data(tmp_path)
    train, test = (pd.read_parquet(paths[split]) for split in ("train", "test"))
    questions = [{row[-1]["content"] for row in data["prompt"]} for data in (train, test)]
    assert not questions[0] & questions[1]
    assert set(train["data_source"]) == set(test["data_source"]) == set(TASK.sources.values())
    examples = {level.example[0] for level in WORKED.values()}
    assert not examples & (questions[0] | questions[1])


def test_the_same_seed_draws_the_same_problems():
    assert draw_split(LEVELS, 40, seed=3) == draw_split(LEVELS, 40, seed=3) != draw_split(LEVELS, 40, seed=4)
