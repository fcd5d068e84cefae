"""Input that is meant to hang, crash or fill the memory."""

import math

import pytest

from benchmarks.reward.adversarial import SHORT_TOWERS, run_adversarial
from daro_verl.reward.cheap_match import cheap_match
from daro_verl.reward.math import compute_score
from daro_verl.reward.normalise import normalise

GOLDS = [None, "", [], {}, object(), True, float("nan"), b"5", "\x00", "{" * 10_000, "9" * 100_000, ["", None]]


def test_every_case_gets_an_answer_in_time_and_every_worker_survives():
    result = run_adversarial(deadline_s=0.3)
    assert result["exceptions"] == {}
    assert result["right"] == ["megabytes of braces", "megabytes of thinking"]  # these end with the gold answer
    assert result["longest_s"] < 0.3 + 2.0
    assert result["outcomes"]["lost"] == 0 and result["outcomes"]["deadline"] > 0
    assert result["workers_not_alive"] == 0 and result["workers_alive"] > 0
    assert result["memory_growth_mb_last_round"] < 100
    # Whatever a case allocated went with its worker or was given back; a limit of 1024 MiB leaves room for a leak.
    assert 30 < result["workers_memory_mb"] / result["workers_alive"] < 200
    assert result["workers_memory_growth_mb_last_round"] < 50
    assert len(SHORT_TOWERS) < result["reach_math_verify"] < result["cases"]


@pytest.mark.parametrize("tower", SHORT_TOWERS.values(), ids=SHORT_TOWERS)
def test_short_towers_reach_math_verify(tower):
    assert cheap_match(normalise("x+1"), normalise(tower)) is None


@pytest.mark.parametrize("gold", GOLDS, ids=[f"{type(gold).__name__} {str(gold)[:9]!r}" for gold in GOLDS])
def test_a_gold_answer_that_is_none_is_no_crash(gold, caplog):
    reward = compute_score("test", r"\boxed{5}", gold)
    assert reward["score"] == 0.0 and math.isfinite(reward["score"])
