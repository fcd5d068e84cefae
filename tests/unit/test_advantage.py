"""Pass rates, bins and centred advantages against values worked out by hand."""

import numpy as np
import pytest
import torch

from daro_verl.advantage import compute_daro_advantage, find_weighting, read_pass_rates
from daro_verl.advantage.estimator import prompt_groups
from daro_verl.advantage.pass_rates import LOST
from daro_verl.advantage.reward_range import RewardRange


def outcome(rewards: list[float], lengths: list[int], width: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Rewards on each response's last token and the response mask, both [num_responses, width]."""
    mask = (torch.arange(width) < torch.tensor(lengths)[:, None]).long()
    scores = torch.zeros(len(rewards), width)
    for row, (reward, length) in enumerate(zip(rewards, lengths, strict=True)):
        scores[row, max(length - 1, 0)] = reward
    return scores, mask


DARO = find_weighting("learned")


def bins_of(returns, mask, num_rollouts):
    rates = read_pass_rates(returns, mask)
    return rates.bins(num_rollouts), rates.success


def advantage_of(rewards, index, lengths=None, **kwargs):
    scores, mask = outcome(rewards, lengths or [2] * len(rewards))
    advantages, returns = compute_daro_advantage(scores, mask, np.array(index, dtype=object), DARO, **kwargs)
    return advantages, returns, mask


def test_one_of_four_right():
    advantages, returns, mask = advantage_of([1, 0, 0, 0], list("aaaa"), lengths=[1, 2, 3, 4])
    # mean = 1/4: A = 3/4, -1/4, -1/4, -1/4 on response tokens, 0 after them
    expected = torch.tensor([0.75, -0.25, -0.25, -0.25])[:, None] * mask
    assert torch.equal(advantages, expected)
    # one of four: the pass rate, negative on the three that failed
    assert torch.equal(returns, torch.tensor([0.25, -0.25, -0.25, -0.25])[:, None] * mask)


def test_prompts_in_any_order_and_of_any_size():
    # a: 1, 0 -> mean 1/2;  b: 1, 1, 0 -> mean 2/3;  c: one response -> its own mean
    advantages, returns, _ = advantage_of([1, 1, 0, 1, 0, 1], ["b", "a", "b", "b", "a", "c"])
    assert advantages[:, 0].tolist() == pytest.approx([1 / 3, 1 / 2, -2 / 3, 1 / 3, -1 / 2, 0])
    assert returns[:, 0].tolist() == pytest.approx([2 / 3, 1 / 2, -2 / 3, 2 / 3, -1 / 2, 1])


@pytest.mark.parametrize("seed", range(3))
def test_a_permutation_of_the_responses_permutes_the_result(seed):
    generator = torch.Generator().manual_seed(seed)
    scores, mask = torch.randn(64, 8, generator=generator), torch.rand(64, 8, generator=generator) < 0.7
    index = np.array([f"p{i % 9}" for i in range(64)], dtype=object)
    order = torch.randperm(64, generator=generator)
    plain = compute_daro_advantage(scores, mask, index, DARO)
    shuffled = compute_daro_advantage(scores[order], mask[order], index[order.numpy()], DARO)
    for a, b in zip(plain, shuffled, strict=True):
        torch.testing.assert_close(a[order], b, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("rewards", "threshold", "rate"),
    [
        pytest.param([-1, 1, 1, 1], 0.5, 0.75, id="minus_one_and_one"),
        pytest.param([0.1, 1.1, 0.1, 0.1], 0.5, 0.25, id="format_bonus"),
        pytest.param([0.6, -1.4, -1, 1], 0.0, 0.5, id="overlong_penalty"),
        pytest.param([0.5, 0.5, 1, 0], 0.5, 0.25, id="the_threshold_itself_is_no_success"),
    ],
)
def test_success_is_a_reward_above_the_threshold(rewards, threshold, rate):
    advantages, returns, _ = advantage_of(rewards, list("aaaa"), success_threshold=threshold)
    assert returns[:, 0].abs().tolist() == pytest.approx([rate] * 4)
    assert (returns[:, 0] > 0).sum() == rate * 4
    centred = np.array(rewards) - np.mean(rewards)  # the advantage keeps the reward's shape
    assert advantages[:, 0].tolist() == pytest.approx(centred.tolist(), abs=1e-6)


@pytest.mark.parametrize("pad_uid", ["pad", "a"])
def test_padding_rows_count_nowhere(pad_uid):
    # verl's padding copies a sample with mask 0; even under a real prompt's id it must not change that prompt
    advantages, returns, _ = advantage_of([1, 0, 0], ["a", "a", pad_uid], lengths=[2, 2, 0])
    assert advantages[:, 0].tolist() == [0.5, -0.5, 0]
    assert returns[:, 0].tolist() == [0.5, -0.5, 0]
    assert advantages.isfinite().all() and returns.isfinite().all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_reward_that_is_not_finite_is_logged_and_counts_nowhere(bad, caplog):
    advantages, returns, mask = advantage_of([1, 0, bad, 0], list("aaaa"))
    # of the other three one is right
    assert advantages[:, 0].tolist() == pytest.approx([2 / 3, -1 / 3, 0, -1 / 3])
    assert returns[:, 0].tolist() == pytest.approx([1 / 3, -1 / 3, LOST, -1 / 3])
    assert "1 responses whose reward is NaN or infinite" in caplog.text
    rates = read_pass_rates(returns, mask)
    assert rates.lost.tolist() == [False, False, True, False] and rates.bins(4).tolist() == [1, 1, 0, 1]


def test_groups_where_all_or_none_are_right_teach_nothing():
    advantages, returns, mask = advantage_of([1, 1, 0, 0], list("aabb"))
    assert not advantages.any()
    bins, success = bins_of(returns, mask, num_rollouts=2)
    assert bins.tolist() == [2, 2, 0, 0] and success.tolist() == [True, True, False, False]


def test_gradients_do_not_flow_into_the_rewards():
    scores, mask = outcome([1, 0], [1, 1])
    advantages, _ = compute_daro_advantage(scores.requires_grad_(), mask, np.array(["a", "a"]), DARO)
    assert not advantages.requires_grad


def test_response_bins_skip_tokens_without_training():
    returns = torch.tensor([[0.0, -0.25, -0.25], [0.5, 0.5, 0.0], [0.75, 0.75, 0.75]])
    mask = torch.tensor([[0, 1, 1], [1, 1, 0], [0, 0, 0]])  # tool tokens, padding, a rejected response
    bins, success = bins_of(returns, mask, 4)
    assert bins.tolist() == [1, 2, 0] and success.tolist() == [False, True, False]


def test_a_prompt_of_padding_alone_has_no_pass_rate():
    scores, mask = outcome([1, 0, 1, 1, 0], [2, 2, 2, 2, 0])
    groups = prompt_groups(scores, mask, np.array(["a", "a", "b", "b", "pad"]), success_threshold=0.5)
    assert groups.pass_rate.tolist() == pytest.approx([0.5, 1, float("nan")], nan_ok=True)


def test_nested_and_padded_tokens_give_the_same_bins():
    returns = torch.tensor([[-0.25, -0.25, -0.25], [0.5, 0.5, 0.0], [0.75, 0.0, 0.0]])
    mask, lengths = torch.tensor([[0, 1, 1], [1, 1, 0], [0, 0, 0]]), [3, 2, 1]

    def nested(rows):
        return torch.nested.as_nested_tensor([r[:n] for r, n in zip(rows, lengths, strict=True)], layout=torch.jagged)

    bins, success = bins_of(nested(returns), nested(mask), 4)
    assert bins.tolist() == [1, 2, 0] and success.tolist() == [False, True, False]
    assert [t.tolist() for t in bins_of(returns, mask, 4)] == [bins.tolist(), success.tolist()]


def test_the_mask_that_was_handed_in_stays():
    scores, mask = outcome([1, 0], [2, 1])
    mask = mask.float()  # already of the dtype of the rewards: no conversion copies it
    before = mask.clone()
    compute_daro_advantage(scores, mask, np.array(["a", "a"]), DARO)
    assert torch.equal(mask, before)


@pytest.mark.parametrize("num_rollouts", range(2, 17))
def test_equal_rewards_have_advantage_zero_without_rounding(num_rollouts):
    """0.1 / 1.1, the reward of the format alone in units of the range, is no float: a mean of eight of them is off."""
    rewards, index = torch.zeros(num_rollouts + 2, 2), ["same"] * num_rollouts + ["other"] * 2
    rewards[:num_rollouts, -1], rewards[-1, -1] = 0.1, 1.1
    bounds = RewardRange(0.0, float(torch.tensor(1.1)))
    advantages, _ = compute_daro_advantage(
        rewards, torch.ones_like(rewards), np.array(index, dtype=object), find_weighting("learned"), reward_range=bounds
    )
    assert (advantages[:num_rollouts] == 0).all() and (advantages[num_rollouts:] != 0).all()
