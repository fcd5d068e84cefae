"""Difficulty weights that resume with another rollout.n."""

import math

import pytest
import torch

from daro_verl.workers.difficulty_weights import DifficultyWeights

PAPER = {"weighting": "paper"}


def resumed(first: DifficultyWeights, num_rollouts: int, options=None) -> DifficultyWeights:
    second = DifficultyWeights(num_rollouts, options or PAPER)
    second.load_state_dict(first.state_dict())
    return second


def with_weights(values: list[float]) -> DifficultyWeights:
    weights = DifficultyWeights(len(values) + 1, PAPER)
    state = weights.state_dict()
    state["log_weights"] = torch.tensor(values, dtype=torch.float64).log()
    weights.load_state_dict(state)
    return weights


def test_weights_are_interpolated_over_the_pass_rate():
    """G = 4, pass rates 1/4, 1/2, 3/4 with weights 1, 4, 16, to G = 8.

    1/8 is below the first: 1. 2/8: 1. 3/8 is half way from 1/4 to 1/2: sqrt(1 * 4) = 2. 4/8: 4. 5/8: 8. 6/8, 7/8: 16.
    """
    weights = resumed(with_weights([1, 4, 16]), 8).weights()
    assert weights.tolist() == pytest.approx([1, 1, 2, 4, 8, 16, 16])


def test_fewer_rollouts_take_the_weights_of_the_same_pass_rates():
    weights = resumed(with_weights([1, 2, 3, 4, 5, 6, 7]), 4).weights()
    assert weights.tolist() == pytest.approx([2, 4, 6])  # 1/4 = 2/8, 2/4 = 4/8, 3/4 = 6/8


def test_the_log_says_so(caplog):
    resumed(with_weights([1, 4, 16]), 2)
    assert "rollout.n was 4 when the difficulty weights were saved and is 2 now" in caplog.text
    assert "from {1of4: 1, 2of4: 4, 3of4: 16} to {1of2: 4}" in caplog.text


def test_the_same_rollout_n_is_untouched_and_says_nothing(caplog):
    first = with_weights([1, 4, 16])
    assert torch.equal(resumed(first, 4).weights(), first.weights())
    assert not caplog.records


@pytest.mark.parametrize("num_rollouts", [2, 4, 16])
def test_a_state_that_is_the_same_everywhere_stays_the_same(num_rollouts):
    """Ten updates with L = 0.2 in every bin: every new bin continues exactly as the old ones would."""
    loss, first = torch.full((7,), 0.2), DifficultyWeights(8, PAPER)
    for _ in range(10):
        first.step(loss, torch.ones(7, dtype=torch.bool))
    second = resumed(first, num_rollouts)
    first.step(loss, torch.ones(7, dtype=torch.bool))
    second.step(torch.full((num_rollouts - 1,), 0.2), torch.ones(num_rollouts - 1, dtype=torch.bool))
    torch.testing.assert_close(second.weights(), first.weights()[:1].expand(num_rollouts - 1), rtol=1e-12, atol=0)
    assert second.version == 11 and second.history.num_updates.tolist() == [11] * (num_rollouts - 1)


def test_bins_that_were_never_present_lend_no_moments():
    """Bin 1 of 3 saw L = 0.2 ten times, bin 2 never: at pass rate 1/2 the moments are bin 1's, the counts half."""
    first = DifficultyWeights(3, PAPER)
    for _ in range(10):
        first.step(torch.tensor([0.2, 9.0]), torch.tensor([True, False]))
    second = resumed(first, 2)
    old, new = first.state_dict(), second.state_dict()
    assert new["num_updates"].tolist() == [5] and new["adam_step"].tolist() == [5]
    corrected = old["adam_exp_avg"][0] / (1 - 0.9**10)
    assert new["adam_exp_avg"].item() == pytest.approx((corrected * (1 - 0.9**5)).item())
    second.step(torch.tensor([0.2]), torch.tensor([True]))
    assert math.isfinite(second.weights().item())


def test_closed_form_average_survives():
    """The corrected average is what counts: 0.25 in every bin before, w = 4 right after the next such loss."""
    options = {"weighting": "closed_form"}
    first = DifficultyWeights(4, options)
    for _ in range(3):
        first.step(torch.full((3,), 0.25), torch.ones(3, dtype=torch.bool))
    second = resumed(first, 6, options)
    second.step(torch.full((5,), 0.25), torch.ones(5, dtype=torch.bool))
    assert second.weights().tolist() == pytest.approx([4.0] * 5)
