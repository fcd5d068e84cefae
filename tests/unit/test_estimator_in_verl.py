"""The estimator as verl's trainers call it."""

import numpy as np
import pytest
import torch
from verl import DataProto
from verl.trainer.ppo.ray_trainer import compute_advantage

from daro_verl.advantage.pass_rates import LOST
from daro_verl.errors import DaroVerlError
from tests.unit.jobs import compose_job

PREPARED = {"daro": {"num_rollouts": 2, "success_threshold": 0.5, "weighting": "learned"}}


def batch(rewards, uids) -> DataProto:
    rewards = torch.tensor(rewards)[:, None]
    return DataProto.from_dict(
        tensors={"token_level_rewards": rewards, "response_mask": torch.ones_like(rewards).long()},
        non_tensors={"uid": np.array(uids, dtype=object)},
    )


def test_verl_finds_the_estimator_by_name():
    data = compute_advantage(batch([1.0, 0.0, 1.0, 1.0], list("aabb")), adv_estimator="daro", config=PREPARED)
    assert data.batch["advantages"].flatten().tolist() == [0.5, -0.5, 0, 0]
    assert data.batch["returns"].flatten().tolist() == [0.5, -0.5, 1, 1]


def test_the_weighting_of_the_job_is_used():
    config = {"daro": {**PREPARED["daro"], "weighting": "grpo"}}
    data = compute_advantage(batch([1.0, 0.0, 1.0, 1.0], list("aabb")), adv_estimator="daro", config=config)
    # std of {1, 0} over n - 1: sqrt(1/2)
    assert data.batch["advantages"].flatten().tolist() == pytest.approx([0.5**0.5, -(0.5**0.5), 0, 0], rel=1e-5)


@pytest.mark.parametrize(("weighting", "is_told"), [("learned", True), ("grpo", False)])
def test_prompts_on_one_side_of_the_threshold_are_named_where_they_teach_nothing(weighting, is_told, caplog):
    """Rewards of -1 and -2: no success above 0. GRPO knows no threshold, and trains the prompt."""
    config = {"daro": {**PREPARED["daro"], "weighting": weighting, "success_threshold": 0.0}}
    compute_advantage(batch([-1.0, -2.0, 1.0, -1.0], list("aabb")), adv_estimator="daro", config=config)
    assert ("1 of 2 prompts teach nothing although their rewards differ" in caplog.text) is is_told


def test_rewards_that_are_not_finite_are_named_and_sent_on(caplog):
    rewards = [1.0, 0.0, float("nan"), float("inf")]
    data = compute_advantage(batch(rewards, list("aabb")), adv_estimator="daro", config=PREPARED)
    # prompt b has no response left: zeros, and the workers are told that its responses were lost
    assert data.batch["advantages"].flatten().tolist() == [0.5, -0.5, 0, 0]
    assert data.batch["returns"].flatten().tolist() == [0.5, -0.5, LOST, LOST]
    assert "left out 2 responses whose reward is NaN or infinite, of 1 prompts" in caplog.text
    assert "b (nan)" in caplog.text


def test_a_job_that_was_not_prepared_does_not_train_silently():
    config = compose_job().algorithm
    with pytest.raises(DaroVerlError, match="validate_config"):
        compute_advantage(batch([1.0, 0.0], list("aa")), adv_estimator="daro", config=config)
