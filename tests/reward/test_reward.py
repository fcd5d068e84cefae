"""What ``compute_score`` returns, its options and its counts."""

import logging
import math
import pickle
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from daro_verl.errors import DaroConfigError
from daro_verl.reward import math as reward_math
from daro_verl.reward.math import compute_score
from daro_verl.reward.options import MathRewardOptions, options_from
from daro_verl.reward.outcomes import Outcome, Tally

ENDLESS = r"\boxed{x+9^{9^{9^{9^9}}}}"
KEYS = ["score", "acc", "pred", "timed_out"]
BAD_OPTIONS = [
    {"on_timeout": "zero"},
    {"deadline_s": 0},
    {"deadline_s": float("nan")},
    {"deadline_s": "5"},
    {"workers": 0},
    {"workers": 1.5},
    {"memory_mb": 10},
    {"on_timeuot": "exclude"},
]


@pytest.fixture
def tally(monkeypatch):
    fresh = Tally()
    monkeypatch.setattr(reward_math, "tally", fresh)
    return fresh


@pytest.mark.parametrize(
    ("response", "score", "pred"),
    [
        (r"\boxed{\dfrac12}", 1.0, r"\frac{1}{2}"),
        (r"\boxed{50\%}", 1.0, "50%"),
        (r"\boxed{2}", 0.0, "2"),
        ("no", 0.0, ""),
    ],
    ids=["right", "percent", "wrong", "none"],
)
def test_the_keys_are_always_the_same(response, score, pred):
    reward = compute_score("math", response, "0.5", {"index": 3})
    assert list(reward) == KEYS
    assert reward == {"score": score, "acc": score, "pred": pred, "timed_out": False}


@pytest.mark.parametrize(("option", "score"), [("wrong", 0.0), ("exclude", math.nan)])
def test_a_timeout_is_marked_counted_and_logged(option, score, tally, caplog):
    with caplog.at_level(logging.WARNING):
        reward = compute_score("math", ENDLESS, "x+1", on_timeout=option, deadline_s=0.2)
    assert list(reward) == KEYS
    assert reward["timed_out"] is True and reward["acc"] == 0.0
    assert reward["score"] == score or (math.isnan(score) and math.isnan(reward["score"]))
    assert tally.counts() == {"right": 0, "wrong": 0, "deadline": 1, "memory": 0, "lost": 0}
    assert "could not decide 1 of 1 answers" in caplog.text and "past the deadline: 1" in caplog.text


def test_warnings_become_rare(caplog):
    tally = Tally()
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            tally.add(Outcome.MEMORY, "1", "2")
            tally.add(Outcome.RIGHT, "1", "1")
    assert len(caplog.records) == 7  # at 1, 2, 4, ..., 64
    assert "64 of 127" in caplog.records[-1].getMessage()


@pytest.mark.parametrize(
    ("gold", "right"),
    [
        (5, True),
        (5.0, True),
        ("5", True),
        (["4", "5"], True),
        (np.array(["4", "5"], dtype=object), True),
        (np.int64(5), True),
        (Decimal("5.0"), True),
        (Fraction(10, 2), True),
        (r"The answer is $\boxed{5}$.", True),
        (["4", "6"], False),
        (4, False),
    ],
    ids=repr,
)
def test_kinds_of_gold_answers(gold, right):
    assert compute_score("math", r"\boxed{5}", gold)["acc"] == right


@pytest.mark.parametrize(
    "gold", [10**400, Fraction(10**400, 3), Decimal("1e400")], ids=["integer", "fraction", "decimal"]
)
def test_a_gold_answer_larger_than_any_float(gold):
    assert compute_score("math", rf"\boxed{{{gold}}}", gold)["acc"] == 1.0
    assert compute_score("math", r"\boxed{7}", gold)["acc"] == 0.0


@pytest.mark.parametrize("gold", [math.nan, math.inf, Decimal("NaN"), None, "", []], ids=repr)
def test_a_missing_gold_answer_is_met_by_nothing(gold, caplog):
    """pandas makes NaN of one."""
    for answer in ("nan", "inf", "NaN", str(gold)):
        assert compute_score("math", rf"\boxed{{{answer}}}", gold)["acc"] == 0.0
    assert caplog.text.count("got no gold answer") == 4


def test_one_of_several_gold_answers_is_enough_although_another_never_ends():
    reward = compute_score("math", r"\boxed{x+1}", ["x+9^{9^{9^{9^9}}}", "1+x"], deadline_s=0.3)
    assert reward["acc"] == 1.0 and reward["timed_out"] is False


@pytest.mark.parametrize("kwargs", BAD_OPTIONS, ids=repr)
def test_a_wrong_option_says_got_expected_and_fix(kwargs):
    with pytest.raises(DaroConfigError, match=r"(?s)reward_kwargs.*got .*expected .*Fix: ") as error:
        compute_score("math", r"\boxed{5}", "5", **kwargs)
    assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value)


def test_what_verl_adds_is_ignored():
    assert options_from({"reward_router_address": "host:1", "reward_model_tokenizer": None}) == MathRewardOptions()


def test_a_prediction_can_be_written_to_a_file():
    reward = compute_score("math", "\\boxed{x\ud83d" + "y" * 1000 + "}", "5")
    assert len(reward["pred"].encode()) <= 200
