"""Problems, worked solutions, the answer check and the parquet files."""

import random
from collections import Counter

import pandas as pd
import pytest

from examples.quickstart.sums.reward import compute_score
from examples.quickstart.sums.task import (
    LEVELS,
    MAX_RESPONSE_LENGTH,
    Problem,
    build_data,
    draw_problem,
    draw_split,
    held_out_problems,
    is_right,
    worked_solution,
)


def test_worked_solution_lists_partial_sums():
    problem = Problem((3, 8, 5))
    assert (problem.prompt, problem.answer, problem.level) == ("3+8+5=", "16", 2)
    assert worked_solution(problem, random.Random(0)) == "11,16"


@pytest.mark.parametrize("level", LEVELS)
def test_careful_solutions_are_right(level):
    rng = random.Random(level)
    for _ in range(50):
        problem = draw_problem(rng, level)
        assert is_right(worked_solution(problem, rng), problem.answer)


def test_wrong_careless_solutions_are_longer():
    rng, lengths = random.Random(0), {True: [], False: []}
    for _ in range(2000):
        problem = draw_problem(rng, rng.choice(LEVELS))
        solution = worked_solution(problem, rng, careless=True)
        lengths[is_right(solution, problem.answer)].append(len(solution))
    right, wrong = (sum(lengths[key]) / len(lengths[key]) for key in (True, False))
    assert wrong > 1.5 * right
    assert 0.4 < len(lengths[True]) / 2000 < 0.8


@pytest.mark.parametrize(
    ("solution", "right"),
    [
        ("11,16", True),
        ("16", True),
        ("12?11,15?16", True),
        ("11,116", False),
        ("11,16?", False),
        ("11,x16", False),
        ("", False),
        ("11,16,", False),
        ("1" * (MAX_RESPONSE_LENGTH - 3) + ",16", False),  # cut off at the limit
    ],
)
def test_reward_reads_the_last_number(solution, right):
    assert compute_score("sum_level2", solution, "16") == {
        "score": float(right),
        "acc": float(right),
        "source": "sum_level2",
    }


def test_splits_are_disjoint_balanced_and_without_repeats(tmp_path):
    paths = build_data(tmp_path, num_train=400, num_test=40)
    train, test = (pd.read_parquet(paths[split]) for split in ("train", "test"))
    prompts = [row[0]["content"] for row in [*train["prompt"], *test["prompt"]]]
    assert len(set(prompts)) == 440
    assert Counter(info["difficulty"] for info in test["extra_info"]) == dict.fromkeys(LEVELS, 10)
    assert set(train.columns) == {"data_source", "prompt", "ability", "reward_model", "extra_info"}


def test_rows_hold_the_right_answer(tmp_path):
    rows = pd.read_parquet(build_data(tmp_path, num_train=40, num_test=8)["train"])
    for prompt, reward_model in zip(rows["prompt"], rows["reward_model"], strict=True):
        terms = prompt[0]["content"].removesuffix("=").split("+")
        assert reward_model == {"style": "rule", "ground_truth": str(sum(map(int, terms)))}


def test_held_out_problems_are_the_same_every_time():
    assert held_out_problems() == held_out_problems()
    assert held_out_problems(16) == held_out_problems()[:16]
    assert not set(draw_split(100, seed=2, exclude=frozenset(held_out_problems()))) & set(held_out_problems())
