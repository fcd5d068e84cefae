"""The weights' updates: closed form, absent bins, the fixed point w L = 1, the clamp, exact resume."""

import math

import pytest
import torch

from daro_verl.advantage.weighting import find_weighting, weighting_names
from daro_verl.config import DaroConfig
from daro_verl.errors import DaroCheckpointError, DaroConfigError
from daro_verl.workers.difficulty_weights import DifficultyWeights

AVERAGED = {"loss_signal": "average", "loss_ema_decay": 0.99}
ALL = torch.ones(3, dtype=torch.bool)


def paper(num_rollouts: int, **options) -> DifficultyWeights:
    """The paper's literal form, but for ``options``."""
    return DifficultyWeights(num_rollouts, {"weighting": "paper", **options})


def test_weights_start_at_weight_init():
    assert paper(4).weights().tolist() == [1, 1, 1]
    assert paper(4, weight_init=2.0).weights().tolist() == pytest.approx([2, 2, 2])


def test_the_first_update_is_one_adam_step_on_the_objective():
    weights = paper(4, weight_lr=0.1)
    weights.step(torch.tensor([3.0, 0.5, 1.0]), ALL)
    # gradient of w L - ln w for s = ln w at w = 1: L - 1 = 2, -1/2, 0; Adam's first step is -lr * sign(gradient)
    # (m / sqrt(v) = g / |g|), so w = e^-0.1, e^0.1, e^0
    assert weights.weights().tolist() == pytest.approx([math.exp(-0.1), math.exp(0.1), 1.0], rel=1e-6)
    assert weights.version == 1


def test_updates_follow_torch_adam_on_the_written_objective():
    """Five noisy updates against autograd on sum_k [w_k L_k - ln w_k] and one Adam over all bins."""
    weights = paper(4, weight_lr=0.07)
    log_w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([log_w], lr=0.07)
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        losses = torch.randn(3, generator=generator, dtype=torch.float64)
        adam.zero_grad()
        (log_w.exp() * losses - log_w).sum().backward()
        adam.step()
        weights.step(losses, ALL)
    torch.testing.assert_close(weights.weights(), log_w.exp().detach(), rtol=1e-12, atol=0)


def test_an_absent_bin_keeps_its_weight_and_its_adam_state():
    weights, losses = paper(4), torch.tensor([2.0, 2.0, 2.0])
    weights.step(losses, ALL)
    before = weights.state_dict()
    weights.step(losses, torch.tensor([True, False, True]))
    after = weights.state_dict()
    for name in ("log_weights", "adam_step", "adam_exp_avg", "adam_exp_avg_sq", "num_updates"):
        assert after[name][1] == before[name][1], name
        assert after[name][0] != before[name][0], name
    assert weights.version == 2


@pytest.mark.parametrize(
    "options", [{}, {"weight_lr": 0.02}, {"weighting": "closed_form", "loss_ema_decay": 0.99}, AVERAGED], ids=str
)
def test_stationary_noisy_losses_end_at_w_times_l_equal_one(options):
    """L_k from 0.02 to 0.5 with 50 % noise, bins present 4 times in 5: the averaged w_k L_k is 1 within 5 %."""
    mean_loss = torch.tensor([0.02, 0.05, 0.1, 0.3, 0.5], dtype=torch.float64)
    weights, generator = paper(6, **options), torch.Generator().manual_seed(1)
    products = []
    for update in range(6000):
        noise = 1 + 0.5 * torch.randn(5, generator=generator, dtype=torch.float64)
        weights.step(mean_loss * noise, torch.rand(5, generator=generator) < 0.8)
        if update >= 1500:
            products.append(weights.weights() * mean_loss)
    assert torch.stack(products).mean(dim=0).tolist() == pytest.approx([1] * 5, rel=0.05)


@pytest.mark.parametrize("weighting", ["paper", "closed_form"])
def test_losses_that_are_never_positive_end_at_the_clamp_and_are_counted(weighting):
    weights = DifficultyWeights(4, {"weighting": weighting})
    for _ in range(300):
        weights.step(torch.tensor([-0.1, 0.0, 0.5]), ALL)
    assert weights.weights()[:2].tolist() == pytest.approx([100, 100])
    assert weights.weights()[2].item() == pytest.approx(2, rel=0.05)
    assert (weights.history.num_not_positive / weights.history.num_updates).tolist() == [1, 1, 0]


def test_huge_losses_end_at_the_lower_clamp():
    weights = paper(2, weight_lr=1.0)
    for _ in range(50):
        weights.step(torch.tensor([1e6]), torch.tensor([True]))
    assert weights.weights().tolist() == pytest.approx([0.01])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_moves_nothing_and_is_logged(bad, caplog):
    weights = paper(4)
    weights.step(torch.tensor([bad, 2.0, 2.0]), ALL)
    assert weights.weights()[0] == 1 and weights.weights()[1] < 1
    assert weights.weights().isfinite().all()
    assert "bin 1 of 4" in caplog.text and "optimizer step 1" in caplog.text


def test_the_signal_can_be_the_average_of_the_losses():
    weights = paper(2, loss_signal="average", weight_lr=0.1, loss_ema_decay=0.5)
    plain = paper(2, weight_lr=0.1)
    for loss in (0.2, 0.4):
        weights.step(torch.tensor([loss], dtype=torch.float64), torch.tensor([True]))
    for average in (0.2, 1 / 3):  # bias-corrected, see the closed form below
        plain.step(torch.tensor([average], dtype=torch.float64), torch.tensor([True]))
    assert weights.weights().item() == pytest.approx(plain.weights().item(), rel=1e-12)


def test_a_loss_that_is_not_positive_lets_the_weight_grow():
    weights = paper(2, weight_lr=0.1, weight_init=10.0)
    for _ in range(3):
        weights.step(torch.tensor([-0.5], dtype=torch.float64), torch.tensor([True]))
    # the gradient w L - 1 is -6 at first and more later: Adam's steps are about its rate, 0.1 each
    assert weights.weights().item() == pytest.approx(10 * math.exp(0.3), rel=0.01)
    assert weights.history.num_not_positive.tolist() == [3]


@pytest.mark.parametrize("weighting", weighting_names())
def test_bins_0_and_G_teach_nothing_but_where_a_method_knows_no_bins(weighting):
    """Their rewards may differ on one side of a threshold. Methods of raw rewards train such prompts, as verl does."""
    scale = DifficultyWeights(4, {"weighting": weighting}, 100.0).scale(torch.tensor([20.0, 0, 20, 0, 10]).double())
    is_verls = find_weighting(weighting).raw_rewards
    assert [value > 0 for value in scale[[0, 2, 4]].tolist()] == [is_verls, True, is_verls]


@pytest.mark.parametrize("num_rollouts", [4, 8])
def test_a_loss_average_keeps_its_value_under_another_decay(num_rollouts):
    """Ten updates with L = 0.1: the average is 0.1, whatever the decay of the job that resumes."""
    saved = paper(4, loss_ema_decay=0.9)
    for _ in range(10):
        saved.step(torch.full((3,), 0.1), torch.tensor([True, True, False]))
    resumed = paper(num_rollouts, loss_ema_decay=0.99)
    resumed.load_state_dict(saved.state_dict())
    average = resumed.history.average()
    assert average[:2].tolist() == pytest.approx([0.1, 0.1])
    assert num_rollouts == 8 or average[2].isnan()


def test_a_state_of_an_earlier_version_goes_on_with_this_jobs_decay():
    saved, resumed = paper(4), paper(4)
    saved.step(torch.full((3,), 0.1), ALL)
    state = saved.state_dict()
    del state["loss_ema_decay"]
    resumed.load_state_dict(state)
    assert resumed.history.average().tolist() == pytest.approx([0.1] * 3)


def test_signal_to_noise_of_a_loss():
    weights = DifficultyWeights(4, {"weighting": "uniform"})
    weights.step(torch.tensor([1.0, 1.0, 0.0]), torch.tensor([True, True, False]))
    assert weights.history.signal_to_noise().isnan().all()  # one value has no deviation
    weights.step(torch.tensor([3.0, -1.0, 0.0]), torch.tensor([True, True, False]))
    # decay 0.98: weights .98 and 1 of 1.98; mean (0.98 + 3) / 1.98, square (0.98 + 9) / 1.98
    mean, square = 3.98 / 1.98, 9.98 / 1.98
    found = weights.history.signal_to_noise()
    assert found[0].item() == pytest.approx(mean / math.sqrt(square - mean**2))
    assert found[1].item() == pytest.approx(-0.02 / 1.98, rel=1e-3)  # mean (.98 - 1) / 1.98, deviation near 1
    assert found[2].isnan()


def test_weights_that_do_not_learn_are_not_taken_from_a_checkpoint():
    learned = paper(4)
    learned.step(torch.tensor([0.1, 0.2, 0.3]), ALL)
    fixed = DifficultyWeights(4, {"weighting": "inverse_variance"})
    fixed.load_state_dict(learned.state_dict())
    assert fixed.weights().tolist() == pytest.approx([16 / 3, 4, 16 / 3]) and fixed.version == 1


def test_uniform_weights_never_move():
    weights = DifficultyWeights(4, {"weighting": "uniform", "weight_init": 3.0})
    weights.step(torch.tensor([9.0, 9.0, 9.0]), ALL)
    assert weights.weights().tolist() == pytest.approx([3, 3, 3])
    assert weights.version == 1


def test_closed_form_is_one_over_the_averaged_loss():
    weights = DifficultyWeights(2, {"weighting": "closed_form", "loss_ema_decay": 0.5})
    for loss in (0.2, 0.4):
        weights.step(torch.tensor([loss], dtype=torch.float64), torch.tensor([True]))
    # EMA with zero start: 0.5 * (0.5 * 0.2) + 0.5 * 0.4 = 0.25; bias 1 - 0.5^2 = 0.75; average 1/3, w = 3
    assert weights.weights().item() == pytest.approx(3.0)


@pytest.mark.parametrize("options", [{}, {"weighting": "paper"}, {"weighting": "closed_form"}], ids=str)
def test_resuming_continues_bit_for_bit(options):
    generator = torch.Generator().manual_seed(2)
    steps = [(torch.randn(7, generator=generator), torch.rand(7, generator=generator) < 0.6) for _ in range(40)]
    whole, first = DifficultyWeights(8, options), DifficultyWeights(8, options)
    for losses, present in steps:
        whole.step(losses, present)
    for losses, present in steps[:17]:
        first.step(losses, present)
    second = DifficultyWeights(8, options)
    second.load_state_dict(first.state_dict())
    for losses, present in steps[17:]:
        second.step(losses, present)
    assert torch.equal(whole.weights(), second.weights())
    resumed = second.state_dict()
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed[name]) if torch.is_tensor(value) else value == resumed[name], name


@pytest.mark.parametrize(
    ("name", "bad"),
    [("log_weights", float("nan")), ("adam_exp_avg_sq", float("inf"))],
)
def test_a_state_that_is_not_finite_is_refused(name, bad):
    state = paper(4).state_dict()
    state[name][1] = bad
    with pytest.raises(DaroCheckpointError, match=f"{name}: got .*expected 3 finite numbers"):
        paper(4).load_state_dict(state)


@pytest.mark.parametrize("change", [{"format": 1}, {"num_rollouts": "8"}, {"version": None}, {"weighting": 3}])
def test_a_foreign_state_is_refused(change):
    name = next(iter(change))
    with pytest.raises(DaroCheckpointError, match=f"{name}: got .*expected .*Fix: resume from an earlier"):
        paper(4).load_state_dict({**paper(4).state_dict(), **change})


def test_another_weighting_goes_on_from_the_saved_weights_and_says_so(caplog):
    first = paper(2, weight_init=3.0)
    second = DifficultyWeights(2, {"weighting": "closed_form"})
    second.load_state_dict(first.state_dict())
    assert second.weights().item() == pytest.approx(3)
    assert "saved with weighting=paper go on with weighting=closed_form" in caplog.text


def test_an_incomplete_state_is_refused():
    state = paper(4).state_dict()
    del state["adam_exp_avg"]
    with pytest.raises(DaroCheckpointError, match="adam_exp_avg"):
        paper(4).load_state_dict(state)


def test_a_state_of_a_users_weighting_that_is_gone_still_resumes():
    saved = paper(4)
    saved.step(torch.tensor([0.1, 0.2, 0.3]), ALL)
    state = {**saved.state_dict(), "weighting": "gone.module.Mine"}
    resumed = paper(4)
    resumed.load_state_dict(state)
    assert torch.equal(resumed.weights(), saved.weights()) and resumed.version == 1


def test_one_rollout_is_refused():
    with pytest.raises(DaroConfigError, match="got 1, expected at least 2"):
        paper(1)


def test_options_may_be_given_as_a_config():
    assert DifficultyWeights(2, DaroConfig(weighting="paper", weight_init=0.5)).weights().item() == pytest.approx(0.5)
