"""The estimator as verl's trainers call it, and the pass-rate histogram in verl's metrics."""

import numpy as np
import pytest
import torch
from verl import DataProto
from verl.trainer.ppo.ray_trainer import compute_advantage

from daro_verl.driver import drain_pass_rates
from daro_verl.errors import DaroSeamError
from tests.unit.jobs import compose_job

PREPARED = {"daro": {"num_rollouts": 2, "success_threshold": 0.5}}


@pytest.fixture(autouse=True)
def _nothing_recorded():
    drain_pass_rates()


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


def test_histogram_of_two_batches_in_one_step():
    compute_advantage(batch([1.0, 0.0, 1.0, 1.0], list("aabb")), adv_estimator="daro", config=PREPARED)
    compute_advantage(batch([0.0, 0.0, 1.0, 0.0], list("aabb")), adv_estimator="daro", config=PREPARED)
    # four prompts: pass rates 1/2, 1, 0, 1/2
    assert drain_pass_rates() == {
        "daro/pass_rate/0of2": 0.25,
        "daro/pass_rate/1of2": 0.5,
        "daro/pass_rate/2of2": 0.25,
        "daro/taught_nothing": 0.5,
        "daro/num_prompts": 4.0,
        "daro/reward_not_finite": 0.0,
    }
    assert drain_pass_rates() == {}


def test_the_factor_of_a_weighting_is_logged_per_bin():
    config = {"daro": {"num_rollouts": 2, "success_threshold": 0.5, "weighting": "grpo"}}
    compute_advantage(batch([1.0, 0.0, 1.0, 1.0], list("aabb")), adv_estimator="daro", config=config)
    metrics = drain_pass_rates()
    # std of {1, 0} over n - 1: sqrt(1/2); prompts with pass rate 0 or 1 teach nothing
    assert metrics["daro/advantage_factor/1of2"] == pytest.approx(2**0.5, rel=1e-5)
    assert [name for name in metrics if "advantage_factor" in name] == ["daro/advantage_factor/1of2"]


def test_rewards_that_are_not_finite_are_counted_and_named(caplog):
    rewards = [1.0, 0.0, float("nan"), float("inf")]
    data = compute_advantage(batch(rewards, list("aabb")), adv_estimator="daro", config=PREPARED)
    # prompt b has no response left: zeros, and no share of the histogram
    assert data.batch["advantages"].flatten().tolist() == [0.5, -0.5, 0, 0]
    metrics = drain_pass_rates()
    assert metrics["daro/reward_not_finite"] == 2.0 and metrics["daro/num_prompts"] == 1.0
    assert "left out 2 responses whose reward is NaN or infinite, of 1 prompts" in caplog.text
    assert "b (nan)" in caplog.text


def test_the_histogram_arrives_in_verls_step_metrics():
    from verl.trainer.ppo.metric_utils import compute_data_metrics

    data = batch([1.0, 0.0], list("aa"))
    compute_advantage(data, adv_estimator="daro", config=PREPARED)
    ones = torch.ones(2, 1)
    data.batch.update(
        {"token_level_scores": ones, "prompts": ones.long(), "responses": ones.long(),
         "attention_mask": torch.ones(2, 2).long()}
    )  # fmt: skip
    metrics = compute_data_metrics(batch=data, use_critic=False)
    assert metrics["daro/pass_rate/1of2"] == 1.0 and "response_length/mean" in metrics
    assert not [name for name in compute_data_metrics(batch=data, use_critic=False) if name.startswith("daro/")]


def test_a_job_that_was_not_prepared_does_not_train_silently():
    config = compose_job().algorithm
    with pytest.raises(DaroSeamError, match="validate_config"):
        compute_advantage(batch([1.0, 0.0], list("aa")), adv_estimator="daro", config=config)
