"""What the worker logs of a mini-batch: the on-policy identity, lengths, and the bins' shares of the loss."""

import math

import numpy as np
import pytest
import torch

from daro_verl.advantage import compute_daro_advantage, find_weighting
from daro_verl.metric_set import FAULTS, SMALL, selected
from daro_verl.prompts.accounting import Accounting
from daro_verl.rollout.exchange import OUTCOMES
from daro_verl.workers.difficulty_weights import DifficultyWeights
from daro_verl.workers.metrics import step_metrics
from daro_verl.workers.mini_batch import MiniBatch, Ranks

G = 4
ALONE = Ranks(data_parallel_group=None, has_outputs=True, source=0, device="cpu")


def metrics_of(rewards, lengths, losses, options=None, num_rollouts=G):
    lengths = torch.tensor(lengths)
    mask = (torch.arange(int(lengths.max())) < lengths[:, None]).long()
    scores = torch.zeros(mask.shape)
    scores[torch.arange(len(lengths)), lengths - 1] = torch.tensor(rewards, dtype=torch.float32)
    index = np.array([f"p{i // num_rollouts}" for i in range(len(rewards))], dtype=object)
    options = options or {"weighting": "paper"}
    advantages, returns = compute_daro_advantage(scores, mask, index, find_weighting(options["weighting"]))
    weights = DifficultyWeights(num_rollouts, options, token_budget=len(rewards) * mask.shape[1])
    data = {"advantages": advantages, "returns": returns, "response_mask": mask}
    mini_batch, used = MiniBatch(data, weights, ALONE), weights.weights()
    losses = torch.tensor(losses, dtype=torch.float64)
    weights.step(losses, mini_batch.tokens[1:-1] > 0)
    return step_metrics(mini_batch, used, losses, weights)


def test_lengths_shares_and_the_identity_by_hand():
    # prompt 0: one of four right, lengths 2 | 4 4 6;  prompt 1: three of four right, lengths 1 2 3 | 8
    metrics = metrics_of([1, 0, 0, 0, 1, 1, 1, 0], [2, 4, 4, 6, 1, 2, 3, 8], losses=[0.2, 0.0, -0.1])
    # bin 1: T = 16, mu (1-mu) (14/3 - 2) / (16/4) = 3/16 * (8/3) / 4 = 1/8
    assert metrics["daro/loss_on_policy/1of4"] == pytest.approx(1 / 8)
    assert metrics["daro/loss_gap/1of4"] == pytest.approx((0.2 - 0.125) / 0.2)
    # bin 3: T = 14, 3/16 * (8 - 2) / (14/4) = 9/28, and the loss is negative: gap (0.1 + 9/28) / (9/28)
    assert metrics["daro/loss_on_policy/3of4"] == pytest.approx(9 / 28)
    assert metrics["daro/loss_gap/3of4"] == pytest.approx((0.1 + 9 / 28) / (9 / 28))
    assert metrics["daro/length_right/1of4"] == 2 and metrics["daro/length_wrong/1of4"] == pytest.approx(14 / 3)
    assert metrics["daro/token_share/1of4"] == pytest.approx(16 / 30)
    assert [metrics[f"daro/response_share/{k}of4"] for k in range(5)] == [0, 0.5, 0, 0.5, 0]
    assert metrics["daro/taught_nothing"] == 0
    assert metrics["daro/token_share_right/3of4"] == pytest.approx(6 / 30)
    assert metrics["daro/token_share_wrong/3of4"] == pytest.approx(8 / 30)
    # w = 1: |w L| = 0.2 and 0.1
    assert metrics["daro/loss_share/1of4"] == pytest.approx(2 / 3)
    assert metrics["daro/loss_share_ratio"] == pytest.approx(2)
    assert metrics["daro/objective"] == pytest.approx(0.1)  # 0.2 - 0.1, ln 1 = 0
    assert not any("2of4" in name for name in metrics if "loss/" in name or "length" in name or "loss_gap" in name)


@pytest.mark.parametrize("losses", [[0.2, 0.0, 0.0], [0.0, 0.0, 0.0], [0.2, 0.0, float("nan")]])
def test_a_ratio_of_shares_that_is_none_is_left_out(losses):
    """verl averages what its workers log: one infinite ratio would be the mean of the step."""
    metrics = metrics_of([1, 0, 0, 0, 1, 1, 1, 0], [2, 4, 4, 6, 1, 2, 3, 8], losses)  # bins 1 and 3
    assert "daro/loss_share_ratio" not in metrics
    assert "daro/objective" in metrics


@pytest.mark.parametrize("options", [{}, {"weighting": "grpo"}, {"weighting": "lipo"}])
@pytest.mark.parametrize("seed", range(4))
def test_the_identity_is_the_mean_of_minus_the_advantage_over_tokens(options, seed):
    """At ratio 1 every token loss is minus its advantage, so ``L_k`` computed that way is the logged approximation."""
    draw = torch.Generator().manual_seed(seed)
    rewards = [float(i < 1 + p % 7) for p in range(14) for i in range(8)]
    lengths = torch.randint(1, 30, (len(rewards),), generator=draw)
    mask = (torch.arange(30) < lengths[:, None]).long()
    scores = torch.zeros(mask.shape)
    scores[torch.arange(len(rewards)), lengths - 1] = torch.tensor(rewards)
    index = np.array([f"p{i // 8}" for i in range(len(rewards))], dtype=object)
    weighting = find_weighting(options.get("weighting", "learned"))
    advantages, returns = compute_daro_advantage(scores, mask, index, weighting)
    metrics = metrics_of(rewards, lengths.tolist(), [0.0] * 7, options, num_rollouts=8)
    for k in range(1, 8):
        tokens = mask.bool() & ((returns.abs() * 8).round() == k)
        rate, right = k / 8, returns > 0
        expected = -advantages[tokens].mean().item()
        assert metrics[f"daro/loss_on_policy/{k}of8"] == pytest.approx(expected, rel=1e-5, abs=1e-7)
        if not options:  # mu (1-mu) (len_neg - len_pos) / len_mean, with two prompts of 8 responses in each bin
            wrong_len = (tokens & ~right).sum() / (16 * (1 - rate))
            right_len = (tokens & right).sum() / (16 * rate)
            identity = rate * (1 - rate) * (wrong_len - right_len) / (tokens.sum() / 16)
            assert expected == pytest.approx(identity.item(), rel=1e-4, abs=1e-6)


def test_a_mini_batch_that_teaches_nothing_logs_no_losses():
    metrics = metrics_of([1, 1, 1, 1], [2, 2, 2, 2], losses=[0.0] * 3)
    assert metrics["daro/objective"] == 0 and "daro/loss_share_ratio" not in metrics
    assert metrics["daro/taught_nothing"] == 1 and metrics["daro/response_share/4of4"] == 1
    assert all(value == value for value in metrics.values())


def test_rewards_that_are_not_finite_are_counted():
    nan = float("nan")
    metrics = metrics_of([1, 0, nan, 0, nan, nan, nan, nan], [2, 4, 4, 6, 1, 2, 3, 8], losses=[0.2, 0.0, 0.0])
    # prompt 0: one of three is right, 4/3 rounds to bin 1; the other five responses count in bin 0
    assert metrics["daro/reward_not_finite"] == 5
    assert metrics["daro/response_share/1of4"] == 3 / 8 and metrics["daro/taught_nothing"] == 5 / 8
    assert metrics["daro/pass_rate"] == 1 / 4  # of those that have a reward


def test_baselines_log_their_share_of_the_loss():
    # GRPO divides by all 30 tokens: weighted loss = T_k / 30 * L_k
    metrics = metrics_of([1, 0, 0, 0, 1, 1, 1, 0], [2, 4, 4, 6, 1, 2, 3, 8], [0.2, 0.0, 0.1], {"weighting": "grpo"})
    assert metrics["daro/weighted_loss/1of4"] == pytest.approx(16 / 30 * 0.2)
    assert metrics["daro/weighted_loss/3of4"] == pytest.approx(14 / 30 * 0.1)
    assert metrics["daro/objective"] == pytest.approx(16 / 30 * 0.2 + 14 / 30 * 0.1)


def test_what_people_look_at_by_hand():
    # bins 1 and 3 of four, half of the responses each: pass rate (1/4 + 3/4) / 2
    metrics = metrics_of([1, 0, 0, 0, 1, 1, 1, 0], [2, 4, 4, 6, 1, 2, 3, 8], [0.2, 0.0, -0.1])
    assert metrics["daro/pass_rate"] == pytest.approx(0.5)
    # the first update of Adam moves ln w by weight_lr: down where the loss is above 1 / w, up where it is below
    assert metrics["daro/weights/max"] == pytest.approx(math.exp(0.05))
    assert metrics["daro/weights/min"] == 1  # bin 2 is absent
    assert metrics["daro/weights_at_bound"] == 0
    assert "daro/loss_snr_median" not in metrics  # no deviation before the second update


def test_weights_at_their_bound_are_counted():
    options = {"weighting": "paper", "weight_max": 1.01}
    metrics = metrics_of([1, 0, 0, 0, 1, 1, 1, 0], [2, 4, 4, 6, 1, 2, 3, 8], [0.2, 0.0, -0.1], options)
    assert metrics["daro/weights_at_bound"] == pytest.approx(2 / 3) and metrics["daro/weights/max"] == 1.01
    fixed = metrics_of([1, 0, 0, 0], [2, 4, 4, 6], [0.2, 0.0, 0.0], {"weighting": "grpo"})
    assert fixed["daro/weights_at_bound"] == 0


def test_the_small_set_has_no_vectors_and_faults_only_where_there_are_any():
    every = metrics_of([1, 0, 0, 0, 1, 1, 1, 0], [2, 4, 4, 6, 1, 2, 3, 8], losses=[0.2, 0.0, -0.1])
    assert selected(every, "all") == every
    small = selected(every, "small")
    assert small.keys() == (SMALL & every.keys()) and not any("of4" in name for name in small)
    nan = float("nan")
    fault = metrics_of([nan, 0, 0, 0, 1, 1, 1, 0], [2, 4, 4, 6, 1, 2, 3, 8], losses=[0.2, 0.0, -0.1])
    assert selected(fault, "small").keys() - small.keys() == {"daro/reward_not_finite"}


def test_every_name_of_the_set_is_one_that_is_logged():
    """Else a renamed metric would vanish from the default without a word."""
    every = metrics_of([1, 0, 0, 0, 1, 1, 1, 0], [2, 4, 4, 6, 1, 2, 3, 8], losses=[0.2, 0.0, -0.1])
    by_worker = {"daro/weight_version/max", "daro/gradient_not_finite", "daro/loss_snr_median"}
    accounting = Accounting()
    accounting.compare(np.array([0.5]), np.array([True]))
    by_others = {*OUTCOMES, *accounting.take()}
    assert (SMALL | FAULTS) <= every.keys() | by_worker | by_others
