"""DARO around verl's own losses, which it calls with scaled advantages: what changes, what must not."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from omegaconf import OmegaConf
from tensordict import TensorDict
from verl.trainer.ppo.core_algos import POLICY_LOSS_REGISTRY, get_policy_loss_fn, register_policy_loss
from verl.utils import tensordict_utils as tu
from verl.workers.config import McoreActorConfig, PolicyLossConfig
from verl.workers.utils.losses import ppo_loss

from daro_verl.advantage import read_pass_rates
from daro_verl.errors import DaroConfigError
from daro_verl.workers.actor_worker import DaroActorWorker
from daro_verl.workers.difficulty_weights import DifficultyWeights
from daro_verl.workers.homogeneity import check_homogeneity, has_advantages
from daro_verl.workers.mini_batch import BINS_KEY, MiniBatch, Ranks
from daro_verl.workers.policy_losses import HOMOGENEOUS, NOT_HOMOGENEOUS, OF_LOG_PROBABILITIES, REINFORCE, loss_name
from tests.unit.bins import daro_scale, mini_batch_of, tokens_of

G, PROMPT, LENGTH = 4, 3, 6
CORRECTION = {"loss_type": "ppo_clip", "rollout_is": "token", "rollout_is_threshold": 2.0}


def actor_config(base_loss: str, **settings) -> McoreActorConfig:
    correction = {"rollout_correction": CORRECTION} if base_loss == "bypass_mode" else {}
    policy_loss = PolicyLossConfig(loss_mode=base_loss, **correction)
    return McoreActorConfig(rollout_n=G, ppo_micro_batch_size_per_gpu=1, policy_loss=policy_loss, **settings)


def micro_batch(seed: int, num_responses: int = 12) -> tuple[TensorDict, dict, torch.Tensor]:
    """A batch in verl's nested layout, a model output with gradient, and the bins."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, LENGTH + 1, (num_responses,), generator=generator)
    successes = torch.randint(0, G + 1, (num_responses,), generator=generator)

    def nested(fill):
        return torch.nested.as_nested_tensor([fill(i, int(n)) for i, n in enumerate(lengths)], layout=torch.jagged)

    def noise(shape, scale):
        return scale * torch.randn(shape, generator=generator)

    signs = torch.where(torch.rand(num_responses, generator=generator) < 0.5, 1.0, -1.0)
    data = TensorDict(
        {
            "prompts": nested(lambda i, n: torch.zeros(PROMPT).long()),
            "responses": nested(lambda i, n: torch.zeros(n).long()),
            "response_mask": nested(lambda i, n: torch.ones(n).long()),
            "returns": nested(lambda i, n: torch.full((n,), successes[i].item() / G)),
            "advantages": nested(lambda i, n: torch.full((n,), signs[i].item())),
            "old_log_probs": nested(lambda i, n: noise(n, 0.5) - 1),
            "ref_log_prob": nested(lambda i, n: noise(n, 0.5) - 1),
        },
        batch_size=num_responses,
    )
    tokens = int(lengths.sum())
    tu.assign_non_tensor(data, dp_size=1, batch_num_tokens=tokens, global_batch_size=num_responses)
    log_probs = nested(lambda i, n: noise(PROMPT + n, 0.5) - 1)
    entropy = nested(lambda i, n: noise(PROMPT + n, 0.5).abs())
    mask, returns = data["response_mask"].to_padded_tensor(0), data["returns"].to_padded_tensor(0)
    data[BINS_KEY] = read_pass_rates(returns, mask).bins(G)
    return data, {"log_probs": log_probs, "entropy": entropy}, data[BINS_KEY]


def run(config, data, model_output, bins, weights, scale=None):
    """Loss and gradient for the log-probabilities, flattened over tokens."""
    log_probs = model_output["log_probs"].detach().clone().requires_grad_()
    tokens = tokens_of(bins, data["response_mask"].to_padded_tensor(0), G)
    mini_batch = mini_batch_of(daro_scale(weights, tokens) if scale is None else scale(tokens))
    loss_fn = partial(ppo_loss, config=config)
    loss, metrics = mini_batch.loss(loss_fn, {**model_output, "log_probs": log_probs}, data)
    loss.backward()
    return loss.detach(), log_probs.grad.values(), metrics, mini_batch.sums


def pick(nested: torch.Tensor, rows: list[int]) -> torch.Tensor:
    """Some rows of a nested tensor."""
    parts = list(nested.unbind())
    return torch.nested.as_nested_tensor([parts[i] for i in rows], layout=torch.jagged)


@pytest.mark.parametrize("base_loss", HOMOGENEOUS)
def test_equal_token_weights_reproduce_verls_own_loss(base_loss):
    """With every response scaled by 1 / N, the sum by bin is verl's token mean: same loss, same gradient."""
    data, output, bins = micro_batch(0)
    tokens = data["batch_num_tokens"]
    ours = run(actor_config(base_loss), data, output, bins, None, scale=lambda t: torch.full_like(t, 1 / tokens))
    log_probs = output["log_probs"].detach().clone().requires_grad_()
    own, _ = ppo_loss(actor_config(base_loss), {**output, "log_probs": log_probs}, data)
    own.backward()
    torch.testing.assert_close(ours[0], own.detach(), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(ours[1], log_probs.grad.values(), rtol=1e-6, atol=1e-9)


def test_each_bin_is_its_own_token_mean_of_verls_loss():
    """L_k is what verl's vanilla loss gives for the bin's responses alone; the loss is sum_k w_k L_k."""
    data, output, bins = micro_batch(1)
    weights = torch.tensor([3.0, 0.5, 7.0], dtype=torch.float64)
    loss, _, _, sums = run(actor_config("vanilla"), data, output, bins, weights)
    tokens = tokens_of(bins, data["response_mask"].to_padded_tensor(0), G)
    expected = 0.0
    for k in (1, 2, 3):
        rows = (bins == k).nonzero().flatten().tolist()
        fields = {name: pick(value, rows) for name, value in data.items() if torch.is_tensor(value) and value.is_nested}
        part = TensorDict(fields, batch_size=len(rows))
        tu.assign_non_tensor(part, dp_size=1, batch_num_tokens=int(tokens[k]), global_batch_size=len(rows))
        log_probs = torch.nested.as_nested_tensor(
            [list(output["log_probs"].unbind())[i] for i in rows], layout=torch.jagged
        )
        own, _ = ppo_loss(actor_config("vanilla"), {"log_probs": log_probs}, part)
        assert (sums[k] / tokens[k]).item() == pytest.approx(own.item(), rel=1e-5)
        expected += weights[k - 1].item() * own.item()
    assert loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("base_loss", HOMOGENEOUS)
def test_which_losses_have_the_papers_value_where_every_ratio_is_one(base_loss):
    """``L_k = -(1 / T_k) sum A_i len_i`` (Theorem 1), whatever the log-probabilities; here all are -1."""
    data, output, bins = micro_batch(1)
    data["old_log_probs"] = data["old_log_probs"] * 0 - 1
    sums = run(actor_config(base_loss), data, {"log_probs": output["log_probs"] * 0 - 1}, bins, torch.ones(3))[3]
    advantages, mask = (data[name].to_padded_tensor(0) for name in ("advantages", "response_mask"))
    expected = -torch.zeros(G + 1, dtype=torch.float64).index_add_(0, bins, (advantages * mask).sum(-1).double())
    has_its_value = torch.allclose(sums[1:-1], expected[1:-1], rtol=1e-5)
    assert has_its_value == (base_loss not in OF_LOG_PROBABILITIES)


def test_other_losses_lend_the_papers_value(monkeypatch):
    """G = 4, one prompt with one right answer of 2 tokens and three wrong ones of 4; A = 3/4, -1/4 (three times).

    T_1 = 14, L_1 = -(3/4 x 2 - 1/4 x 12) / 14 = 1.5 / 14. The loss's own sum, here 5, does not count.
    """
    mask = (torch.arange(4) < torch.tensor([[2], [4], [4], [4]])).long()
    columns = {
        "response_mask": mask,
        "returns": 0.25 * mask,
        "advantages": torch.tensor([[0.75], [-0.25]] + [[-0.25]] * 2) * mask,
    }
    monkeypatch.setattr(torch.distributed, "broadcast", lambda *_, **__: None)
    mini_batch = MiniBatch(TensorDict(columns, batch_size=4), DifficultyWeights(4), Ranks(None, True, 0, "cpu"))
    mini_batch.sums[1] = 5.0
    assert mini_batch.losses(1.0)[0].tolist() == pytest.approx([5 / 14, 0, 0])
    assert mini_batch.losses(1.0, at_ratio_one=True)[0].tolist() == pytest.approx([1.5 / 14, 0, 0])


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "vanilla"),
        ({"loss_mode": "cispo"}, "cispo"),
        ({"loss_mode": "bypass_mode", "rollout_correction": {"loss_type": "reinforce"}}, REINFORCE),
        ({"loss_mode": "bypass_mode", "rollout_correction": {"loss_type": "ppo_clip"}}, "bypass_mode"),
    ],
)
def test_the_name_of_a_jobs_loss(settings, name):
    job = {"actor_rollout_ref": {"actor": {"policy_loss": settings}}, "algorithm": {}}
    assert loss_name(OmegaConf.create(job)) == name
    job["algorithm"] = {"rollout_correction": {"bypass_mode": True, "loss_type": "reinforce"}}
    assert loss_name(OmegaConf.create(job)) == name  # verl's trainers change the mode where no worker sees it


def test_gradient_reaches_only_bins_that_teach():
    data, output, bins = micro_batch(2, num_responses=30)
    _, gradient, _, _ = run(actor_config("vanilla"), data, output, bins, torch.ones(3))
    lengths = data["response_mask"].offsets().diff() + PROMPT
    per_response = torch.stack([g.abs().sum() for g in gradient.split(lengths.tolist())])
    assert {0, G} & set(bins.tolist())
    assert (per_response[(bins == 0) | (bins == G)] == 0).all()
    for k in (1, 2, 3):
        assert per_response[bins == k].sum() > 0
    # and it is linear in the bin's weight: doubling w_2 doubles bin 2 and nothing else
    _, doubled, _, _ = run(actor_config("vanilla"), data, output, bins, torch.tensor([1.0, 2.0, 1.0]))
    per_token_bin = bins.repeat_interleave(lengths)
    factor = torch.where(per_token_bin == 2, 2.0, 1.0)
    torch.testing.assert_close(doubled, gradient * factor)


@pytest.mark.parametrize("weight", [1.0, 50.0])
def test_entropy_and_kl_terms_stay_verls(weight):
    """The difference that entropy and KL make is the same with DARO at any weight as without DARO."""
    data, output, bins = micro_batch(3)
    terms = {"entropy_coeff": 0.1, "use_kl_loss": True, "kl_loss_coef": 0.2}
    weights = torch.full((3,), weight, dtype=torch.float64)
    bare = run(actor_config("vanilla"), data, output, bins, weights)
    full = run(actor_config("vanilla", **terms), data, output, bins, weights)
    own_bare, _ = ppo_loss(actor_config("vanilla"), output, data)
    own_full, metrics = ppo_loss(actor_config("vanilla", **terms), output, data)
    assert (full[0] - bare[0]).item() == pytest.approx((own_full - own_bare).item(), rel=1e-4)
    for name in ("actor/entropy_loss", "kl_loss"):
        assert full[2][name].aggregate() == metrics[name].aggregate()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("base_loss", HOMOGENEOUS)
def test_the_losses_that_are_accepted_are_homogeneous(base_loss, seed):
    """Token losses times c where advantages are times c, over random ratios far beyond every clip."""
    generator = torch.Generator().manual_seed(seed)
    shape, config = (200, 50), actor_config(base_loss)
    config.global_batch_info.update(dp_size=1, batch_num_tokens=None, global_batch_size=None, loss_scale_factor=None)
    old, new, advantages = (torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(3))
    factor = torch.rand(200, 1, generator=generator, dtype=torch.float64) * 10

    def loss_of(rows: torch.Tensor) -> torch.Tensor:
        mask = torch.zeros(shape).long()
        mask[rows] = 1
        loss_fn = get_policy_loss_fn(base_loss)
        given = {"old_log_prob": old - 2, "log_prob": old + new - 2, "response_mask": mask, "config": config}
        plain, scaled = (
            loss_fn(advantages=a, loss_agg_mode="token-mean", **given)[0] for a in (advantages, factor * advantages)
        )
        return scaled - factor[rows[0]] * plain

    for row in range(0, 200, 20):
        assert loss_of(torch.tensor([row])).abs().item() <= 1e-12 * factor[row].item() * 100


def test_every_loss_of_verl_is_either_accepted_or_refused():
    own = {name for name in POLICY_LOSS_REGISTRY if not name.startswith("test_")}
    assert own == {*HOMOGENEOUS, *NOT_HOMOGENEOUS}
    assert not {*HOMOGENEOUS} & {*NOT_HOMOGENEOUS}


def checked(name: str) -> None:
    data, output, _ = micro_batch(5)
    before = output["log_probs"].values().clone()
    state = torch.get_rng_state()
    check_homogeneity(partial(ppo_loss, config=actor_config(name, entropy_coeff=0.1)), output, data, name)
    assert torch.equal(output["log_probs"].values(), before) and torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", HOMOGENEOUS)
def test_the_check_of_a_users_loss_lets_homogeneous_ones_pass(name):
    checked(name)


def test_the_check_of_a_users_loss_lets_a_term_without_advantages_pass():
    @register_policy_loss("test_with_a_bonus")
    def with_a_bonus(old_log_prob, log_prob, advantages, response_mask, loss_agg_mode, config, rollout_is_weights):
        return ((0.01 - advantages) * log_prob * response_mask).sum() / 50, {}

    checked("test_with_a_bonus")


def test_a_micro_batch_without_advantages_checks_nothing():
    """In it every loss doubles: it would let any loss pass for the rest of the job."""
    data, _, _ = micro_batch(5)
    assert has_advantages(data)
    data["advantages"] = data["advantages"] * 0
    assert not has_advantages(data)


def test_the_worker_checks_at_the_first_micro_batch_that_can_tell():
    checks = []
    worker = worker_of(lambda **given: checks.append("verl's"))
    worker._loss_is_checked, worker._policy_loss = False, "mine"
    data, output, _ = micro_batch(5)
    nothing = data.copy()
    nothing["advantages"] = data["advantages"] * 0
    worker._mini_batch = SimpleNamespace(loss=lambda *given: checks.append("DARO's"))
    worker._loss(output, nothing)
    assert checks == ["DARO's"] and not worker._loss_is_checked
    worker._verl_loss_fn = partial(ppo_loss, config=actor_config("vanilla"))
    worker._loss(output, data)
    assert worker._loss_is_checked


def test_a_distillation_asks_with_logits():
    """verl's engines call the loss function as a processor of logits, too, and Megatron's names a format."""
    worker = worker_of(lambda **given: given)
    worker._mini_batch = object()
    for more in ({}, {"data_format": "thd"}):
        given = {"student_logits": torch.zeros(2), "data": {"a": 1}, **more}
        assert worker._loss(**given) == given


def worker_of(loss_fn) -> DaroActorWorker:
    worker = object.__new__(DaroActorWorker)
    worker._verl_loss_fn, worker._mini_batch = loss_fn, None
    return worker


@pytest.mark.parametrize("power", [2, 0.5])
def test_a_users_loss_that_is_not_homogeneous_is_refused(power):
    @register_policy_loss("test_with_a_power")
    def with_a_power(old_log_prob, log_prob, advantages, response_mask, loss_agg_mode, config, rollout_is_weights):
        return (advantages.abs() ** power * log_prob * response_mask).sum() / 50, {}

    with pytest.raises(
        DaroConfigError, match="'test_with_a_power': got .* more when all advantages are doubled.*Fix: "
    ):
        checked("test_with_a_power")
