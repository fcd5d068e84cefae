"""Every weighting against its method: verl's own estimator and loss where verl has them, else the method's paper."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage, get_policy_loss_fn
from verl.workers.config import McoreActorConfig, PolicyLossConfig

from daro_verl.advantage import Weighting, compute_daro_advantage, find_weighting, weighting_names
from daro_verl.advantage.weighting import NORMALISERS
from daro_verl.advantage.weightings import Learned
from daro_verl.config import DaroConfig
from daro_verl.errors import DaroConfigError
from daro_verl.objective import LearningRule
from daro_verl.refusals import weighting_problems
from daro_verl.workers.difficulty_weights import DifficultyWeights
from daro_verl.workers.mini_batch import MiniBatch, Ranks, scaled
from tests.unit.jobs import compose_job

G, PROMPTS, LENGTH, FEATURES, VOCABULARY = 8, 12, 16, 6, 5
RESPONSES = G * PROMPTS
ALONE = Ranks(data_parallel_group=None, has_outputs=True, source=0, device="cpu")
BOUND = 1e-6  # relative, in float32


class Batch:
    """A random mini-batch: uneven lengths, several prompts per bin, responses scattered, off-policy so that PPO clips.

    The model is one matrix, ``log_prob = log_softmax(features @ model)[token]``, with a gradient of its own.
    """

    def __init__(self, seed: int, failure: float = 0.0, noise: float = 0.0) -> None:
        draw = torch.Generator().manual_seed(seed)
        wins = torch.randint(0, G + 1, (PROMPTS,), generator=draw)
        wins[:4] = torch.tensor([1, 1, 4, 7])  # several prompts of one bin, whatever the draw
        order = torch.randperm(RESPONSES, generator=draw)
        self.index = np.array([f"prompt {i // G}" for i in order.tolist()], dtype=object)
        success = (torch.arange(G) < wins[:, None]).flatten()[order]
        scores = torch.where(success, 1.0, failure) + noise * torch.randn(RESPONSES, generator=draw)
        lengths = torch.randint(1, LENGTH + 1, (RESPONSES,), generator=draw)
        self.mask = (torch.arange(LENGTH) < lengths[:, None]).long()
        self.rewards = torch.zeros(RESPONSES, LENGTH)
        self.rewards[torch.arange(RESPONSES), lengths - 1] = scores
        self.features = torch.randn(RESPONSES, LENGTH, FEATURES, generator=draw)
        self.tokens = torch.randint(0, VOCABULARY, (RESPONSES, LENGTH, 1), generator=draw)
        self.sampled_by = 0.3 * torch.randn(FEATURES, VOCABULARY, generator=draw)
        self.model = self.sampled_by + 0.3 * torch.randn(FEATURES, VOCABULARY, generator=draw)

    def log_prob(self, model: torch.Tensor) -> torch.Tensor:
        return (self.features @ model).log_softmax(-1).gather(-1, self.tokens)[..., 0]

    def policy_loss(self, config: McoreActorConfig, log_prob: torch.Tensor, advantages: torch.Tensor) -> tuple:
        return get_policy_loss_fn(config.policy_loss.loss_mode)(
            old_log_prob=self.log_prob(self.sampled_by),
            log_prob=log_prob,
            advantages=advantages,
            response_mask=self.mask,
            loss_agg_mode=config.loss_agg_mode,
            config=config,
        )

    def trained(self, loss: Callable[[torch.Tensor], tuple], size: Callable[[torch.Tensor], torch.Tensor]) -> "Trained":
        """The policy loss as a function of the log-probabilities, its size, and the model's gradient."""
        model = self.model.clone().requires_grad_()
        value, metrics = loss(self.log_prob(model))
        assert metrics["actor/pg_clipfrac"] > 0.05
        value.backward()
        return Trained(value.detach(), size(self.log_prob(self.model)).abs(), model.grad)

    def with_weighting(self, options: dict, **clip: float) -> "Trained":
        weighting = find_weighting(options["weighting"])
        advantages, returns = compute_daro_advantage(self.rewards, self.mask, self.index, weighting)
        data = {"advantages": advantages, "returns": returns, "response_mask": self.mask}
        mini_batch = MiniBatch(data, DifficultyWeights(G, options, RESPONSES * LENGTH), ALONE)
        data |= {"batch_num_tokens": int(self.mask.sum()), "dp_size": 1}
        config = actor(**clip)

        def verls_loss(model_output, data, dp_group=None):
            return self.policy_loss(config, model_output["log_probs"], data["advantages"])

        def size(log_prob):
            absolute = {**data, "advantages": advantages.abs()}
            return verls_loss({"log_probs": log_prob}, scaled(absolute, mini_batch.scale * data["batch_num_tokens"]))[0]

        return self.trained(lambda log_prob: mini_batch.loss(verls_loss, {"log_probs": log_prob}, data), size)

    def with_verl(self, aggregation: str, divide_by_std: bool, **clip: float) -> "Trained":
        """verl's own estimator and loss, in float32 as in a job."""
        advantages, _ = compute_grpo_outcome_advantage(
            self.rewards, self.mask, self.index, norm_adv_by_std_in_grpo=divide_by_std
        )
        config = actor(loss_agg_mode=aggregation, **clip)
        return self.trained(
            lambda log_prob: self.policy_loss(config, log_prob, advantages),
            lambda log_prob: self.policy_loss(config, log_prob, advantages.abs())[0],
        )


@dataclass(frozen=True)
class Trained:
    """What a method makes of a batch.

    Attributes:
        size: of the loss without cancellation, the loss of ``|A|``. Right and wrong responses pull the loss to both
            sides of 0: the sum can be a thousandth of what is added up, and its rounding as large relative to it.
    """

    loss: torch.Tensor
    size: torch.Tensor
    gradient: torch.Tensor


def actor(**settings) -> McoreActorConfig:
    config = McoreActorConfig(rollout_n=G, ppo_micro_batch_size_per_gpu=1, policy_loss=PolicyLossConfig(), **settings)
    config.global_batch_info.update(dp_size=1, global_batch_size=RESPONSES)
    return config


def largest_difference(got: Trained, want: Trained) -> float:
    """Relative: of the loss to its size, and of the gradient by its norm."""
    assert want.gradient.norm() > 1e-3 and want.size > 1e-2
    loss, gradient = (got.loss - want.loss).abs() / want.size, (got.gradient - want.gradient).norm()
    return max(loss.item(), (gradient / want.gradient.norm()).item())


REWARDS = [
    pytest.param({}, id="0 and 1"),
    pytest.param({"failure": -1.0}, id="-1 and 1"),
    pytest.param({"noise": 0.1}, id="shaped"),
]
METHODS = {
    "grpo": ("token-mean", True, {}),
    "dapo": ("token-mean", True, {"clip_ratio_low": 0.2, "clip_ratio_high": 0.28}),
    "dr_grpo": ("seq-mean-token-sum-norm", False, {}),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rewards", REWARDS)
@pytest.mark.parametrize("seed", range(20))
def test_loss_and_gradient_are_those_of_verls_own_method(method, rewards, seed):
    aggregation, divide_by_std, clip = METHODS[method]
    batch = Batch(seed, **rewards)
    got = batch.with_weighting({"weighting": method}, **clip)
    assert largest_difference(got, batch.with_verl(aggregation, divide_by_std, **clip)) <= BOUND


@pytest.mark.parametrize("rewards", REWARDS)
@pytest.mark.parametrize("seed", range(20))
def test_lipo_is_lite_ppo_written_from_its_paper(rewards, seed):
    """arXiv 2508.08221: advantage = (reward - mean of the group) / std of the batch, PPO clip, mean over all tokens.

    With the 1e-6 under the fraction that all of verl's estimators have.
    """
    batch = Batch(seed, **rewards)
    scores = batch.rewards.sum(-1)
    group_mean = torch.stack([scores[batch.index == uid].mean() for uid in batch.index])
    advantage = ((scores - group_mean) / (scores.std() + 1e-6)).unsqueeze(-1)
    model = batch.model.clone().requires_grad_()
    ratio = (batch.log_prob(model) - batch.log_prob(batch.sampled_by)).exp()
    clipped = torch.maximum(-ratio * advantage, -ratio.clamp(0.8, 1.2) * advantage)
    dual = torch.where(advantage < 0, torch.minimum(clipped, -3.0 * advantage), clipped)  # verl's bound, rarely met
    loss = dual[batch.mask.bool()].mean()
    loss.backward()
    want = Trained(loss.detach(), dual[batch.mask.bool()].abs().mean().detach(), model.grad)
    assert largest_difference(batch.with_weighting({"weighting": "lipo"}), want) <= BOUND


def test_focal_is_grpo_times_the_root_of_the_failure_rate():
    """6 of 8 right, mu = 3/4: std^2 = 8 (3/4) (1/4) / 7 = 3/14, so f = sqrt(1/4) / sqrt(3/14) = 1.0801."""
    rewards = torch.tensor([[1.0]] * 6 + [[0.0]] * 2)
    mask, index = torch.ones(8, 1, dtype=torch.int64), np.array(["a"] * 8, dtype=object)
    advantages, _ = compute_daro_advantage(rewards, mask, index, find_weighting("focal"))
    expected = 1.0801 * torch.tensor([0.25] * 6 + [-0.75] * 2)  # A = r - mu
    assert advantages[:, 0].tolist() == pytest.approx(expected.tolist(), rel=1e-4)


def test_maxrl_leans_to_hard_prompts_and_easy_to_easy_ones():
    """Of four responses 1, 2, 3 right: mu = 1/4, 1/2, 3/4. Each divides by all tokens of a mini-batch, 10 here."""
    rates, tokens = torch.tensor([0.25, 0.5, 0.75]), torch.tensor([0, 1, 2, 3, 4])
    for name, weights in {"maxrl": [4, 2, 4 / 3], "easy": [4 / 3, 2, 4]}.items():
        weighting = find_weighting(name)
        assert weighting.bin_weights(rates).tolist() == pytest.approx(weights)
        assert weighting.denominators(tokens, 100.0).tolist() == [math.inf, 10, 10, 10, math.inf]
        assert not weighting.learns


@pytest.mark.parametrize("options", [{"weighting": "inverse_variance"}, {"weighting": "uniform", "weight_init": 2.0}])
def test_fixed_weights_per_bin_written_out(options):
    """Sum over bins 1 .. 7 of w_k times the mean of the bin's centred token losses."""
    batch = Batch(0)
    scores, size = batch.rewards.sum(-1), 0.0
    rate = torch.stack([scores[batch.index == uid].mean() for uid in batch.index])
    model = batch.model.clone().requires_grad_()
    ratio, advantage = (batch.log_prob(model) - batch.log_prob(batch.sampled_by)).exp(), (scores - rate).unsqueeze(-1)
    losses, loss = torch.maximum(-ratio * advantage, -ratio.clamp(0.8, 1.2) * advantage), torch.zeros(())
    losses = torch.where(advantage < 0, torch.minimum(losses, -3.0 * advantage), losses)
    for k in range(1, G):
        where = (rate == k / G).unsqueeze(-1) & batch.mask.bool()
        weight = 2.0 if options["weighting"] == "uniform" else 1 / (k / G * (1 - k / G))
        if where.any():
            loss, size = loss + weight * losses[where].mean(), size + weight * losses[where].abs().mean().detach()
    loss.backward()
    assert largest_difference(batch.with_weighting(options), Trained(loss.detach(), size, model.grad)) <= BOUND


def test_denominators():
    tokens = torch.tensor([5.0, 8, 0, 2, 7])  # G = 4; bins 1 and 3 are informative and present
    inf = float("inf")
    found = {name: denominators(tokens, 100).tolist() for name, denominators in NORMALISERS.items()}
    assert found == {
        "bin_tokens": [inf, 8, inf, 2, inf],
        "all_tokens": [22] * 5,
        "token_budget": [100] * 5,
    }
    assert NORMALISERS["bin_tokens"](torch.tensor([3.0, 0, 4]), 1).tolist() == [inf] * 3  # nothing teaches
    assert tokens.tolist() == [5, 8, 0, 2, 7]


def test_a_users_own_weighting_is_named_by_its_import_path(tmp_path, monkeypatch):
    """The example of docs/weightings.md, ``(1 - mu)^2``, as a module of the user's."""
    page = (Path(__file__).parents[2] / "docs" / "weightings.md").read_text()
    (tmp_path / "my_weightings.py").write_text(page.split("```python\n")[1].split("```")[0])
    monkeypatch.syspath_prepend(tmp_path)
    assert find_weighting("my_weightings.HardFirst").normaliser == "all_tokens"
    weights = DifficultyWeights(4, {"weighting": "my_weightings.HardFirst"})
    assert weights.weights().tolist() == pytest.approx([9 / 16, 4 / 16, 1 / 16])  # (1 - k / 4)^2
    weights.step(torch.tensor([0.3, 0.3, 0.3]), torch.tensor([True, True, True]))
    assert weights.weights().tolist() == pytest.approx([9 / 16, 4 / 16, 1 / 16])


@pytest.mark.parametrize("name", ["grop", "no.such.module", f"{__name__}.Batch", f"{__name__}.Missing", 3, None])
def test_a_weighting_that_is_none_is_refused(name):
    with pytest.raises(DaroConfigError, match=r"weighting: got .*expected one of learned, .*Fix: set"):
        DifficultyWeights(4, {"weighting": name})


class Halved(LearningRule):
    """A user's own rule: every update halves the weights of the bins present, and counts."""

    def __init__(self, start, contributions, options):
        super().__init__(start, contributions, options)
        self.halvings = torch.zeros_like(start)

    def update(self, signal, present):
        self.set(self.log_weights().exp() / 2, present)
        self.halvings += present

    def state(self):
        return {"halvings": self.halvings.clone()}

    def load(self, log_weights, state):
        super().load(log_weights, state)
        self.halvings = state["halvings"].clone()


class Halving(Weighting):
    rule = Halved


def test_a_users_own_learning_rule_is_one_class():
    weights = DifficultyWeights(4, {"weighting": f"{__name__}.Halving"})
    weights.step(torch.tensor([0.3, 0.2, 0.1]), torch.tensor([True, False, True]))
    assert weights.weights().tolist() == pytest.approx([0.5, 1, 0.5]) and weights.learns
    resumed = DifficultyWeights(4, {"weighting": f"{__name__}.Halving"})
    resumed.load_state_dict(weights.state_dict())
    assert resumed.state_dict()["halvings"].tolist() == [1, 0, 1]
    assert torch.equal(resumed.weights(), weights.weights())
    other_size = DifficultyWeights(2, {"weighting": f"{__name__}.Halving"})
    other_size.load_state_dict(weights.state_dict())  # interpolated over the pass rate: 1/2 of 2 is 2/4
    assert other_size.state_dict()["halvings"].tolist() == [0]


class Misspelt(Weighting):
    normaliser = "tokens"


class NoRule(Weighting):
    rule = "adam"


class MisspeltDefault(Weighting):
    defaults = {"weight_mx": 3.0}


class DefaultsAreAList(Weighting):
    defaults = ["weight_max"]


class WithProperty(Weighting):
    defaults = property(lambda self: {"weight_max": 5.0})


class WithArguments(Weighting):
    def __init__(self, gamma):
        self.gamma = gamma


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "MisspeltDefault",
            r"defaults: got {'weight_mx': 3.0}, expected defaults of loss_signal, weight_min, ",
        ),
        ("WithArguments", r"WithArguments\(\): got .*missing 1 required .*, expected no arguments"),
        ("DefaultsAreAList", r"defaults: got \['weight_max'\], expected defaults of loss_signal"),
        ("Misspelt", r"Misspelt.normaliser: got 'tokens', expected one of bin_tokens, "),
        ("NoRule", r"NoRule.rule: got 'adam', expected a subclass of daro_verl.objective.LearningRule"),
    ],
)
def test_a_weighting_with_an_unknown_part_is_refused(name, message):
    with pytest.raises(DaroConfigError, match=message):
        find_weighting(f"{__name__}.{name}")


@pytest.mark.parametrize("name", [0.5, "./mine.Weights", ".mine.Weights", "learnt", "tests.unit.test_weightings.G"])
def test_odd_names_are_refused(name):
    with pytest.raises(DaroConfigError, match="algorithm.daro.weighting: got .*expected one of learned, "):
        find_weighting(name)


class Muting(Weighting):
    def bin_weights(self, pass_rate):
        return (pass_rate < 0.8).double()


class Negative(Weighting):
    def bin_weights(self, pass_rate):
        return 0.5 - pass_rate


class OneNumber(Weighting):
    def bin_weights(self, pass_rate):
        return 2.0


class ForEveryBin(Weighting):
    def contributions(self, pass_rate):
        return torch.ones(len(pass_rate) + 2)


class Complex(Weighting):
    def bin_weights(self, pass_rate):
        return pass_rate * 1j


class Failing(Weighting):
    def contributions(self, pass_rate):
        return 1 / int(pass_rate)


@pytest.mark.parametrize(
    ("cls", "got"),
    [
        (Muting, r"Muting.bin_weights: got \[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0\]"),
        (Negative, r"Negative.bin_weights: got \[0.375, .*-0.375\]"),
        (OneNumber, "OneNumber.bin_weights: got .*Error: .*"),
        (Complex, "Complex.bin_weights: got .*Error: .*"),
        (ForEveryBin, r"ForEveryBin.contributions: got \[1.0, .*1.0\]"),
        (Failing, "Failing.contributions: got '.*Error: .*'"),
    ],
)
def test_a_weighting_whose_numbers_cannot_be_weights_is_refused_before_any_worker(cls, got):
    """A weight of 0 would train, save, and fail at every resume; a negative one makes the loss NaN."""
    with pytest.raises(DaroConfigError, match=f"{got}, expected a tensor of 7 finite numbers > 0.*Fix: ") as error:
        DifficultyWeights(8, {"weighting": f"{__name__}.{cls.__name__}"})
    job = compose_job("actor_rollout_ref.rollout.n=8", f"+algorithm.daro.weighting={__name__}.{cls.__name__}")
    assert weighting_problems(job, DaroConfig(weighting=f"{__name__}.{cls.__name__}")) == error.value.problems


def test_defaults_may_be_computed():
    assert DaroConfig(weighting=f"{__name__}.WithProperty").weight_max == 5.0


def test_the_methods_of_the_paper_are_there():
    paper = {"learned", "paper", "closed_form", "grpo", "dapo", "dr_grpo", "lipo", "inverse_variance", "uniform"}
    assert set(weighting_names()) == paper | {"focal", "maxrl", "easy"}
    for name in weighting_names():
        assert find_weighting(name).__doc__ != Weighting.__doc__


def test_learned_has_defaults_of_its_own_and_paper_is_literal():
    learned, paper = DaroConfig(), DaroConfig(weighting="paper")
    assert learned == DaroConfig.from_mapping({}) and paper == DaroConfig.from_mapping({"weighting": "paper"})
    assert learned.to_dict() == {**paper.to_dict(), "weighting": "learned", **Learned.defaults}
    assert (paper.loss_signal, paper.weight_min, paper.weight_max) == ("batch", 0.01, 100)
    assert DaroConfig.from_mapping({"weight_max": 50.0}).weight_max == 50.0  # the user's own goes first


def test_learned_by_default_by_hand():
    """G = 4: start ``mu^-1/2`` = 2, 1.4142, 1.1547; ``nu = sqrt(mu) (1 - mu)`` = .375, .35355, .2165, so at the start
    ``w L / nu = L / (mu (1 - mu))``, the gap: 2, 1/2 and negative. Adam's first step is down, up and up by weight_lr.
    """
    weights = DifficultyWeights(4)
    start = [2, 2**0.5, (4 / 3) ** 0.5]
    assert weights.weights().tolist() == pytest.approx(start)
    weights.step(torch.tensor([2 * 3 / 16, 1 / 2 / 4, -0.1]), torch.tensor([True, True, True]))
    moved = [start[0] * math.exp(-0.05), start[1] * math.exp(0.05), start[2] * math.exp(0.05)]
    assert weights.weights().tolist() == pytest.approx(moved)
    # tokens 1, 2, 3, 0, 2: every D is all 8 tokens; bins 0 and G teach nothing
    scale = weights.scale(torch.tensor([1.0, 2, 3, 0, 2]))
    assert scale.tolist() == pytest.approx([0, *(w / 8 for w in moved), 0])
    for _ in range(200):
        weights.step(torch.tensor([2 * 3 / 16, 1 / 2 / 4, -0.1]), torch.tensor([True, True, False]))
    assert weights.weights()[:2].tolist() == pytest.approx([start[0] / 2, start[1] * 2], rel=1e-3)  # nu / L
    assert weights.weights()[2].item() == pytest.approx(moved[2])  # absent
    for _ in range(50):
        weights.step(torch.tensor([-1.0, 9.0, -0.1]), torch.tensor([True, True, True]))
    assert weights.weights().tolist() == pytest.approx([3 * start[0], start[1] / 3, 3 * start[2]])  # the bounds
