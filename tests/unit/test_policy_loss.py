"""DARO around verl's own losses: what changes, what must not."""

from functools import partial

import pytest
import torch
from tensordict import TensorDict
from verl.trainer.ppo.core_algos import register_policy_loss
from verl.utils import tensordict_utils as tu
from verl.workers.config import McoreActorConfig, PolicyLossConfig
from verl.workers.utils.losses import ppo_loss

from daro_verl.advantage import response_bins
from daro_verl.errors import DaroSeamError
from daro_verl.workers.bin_loss import BinLoss
from daro_verl.workers.policy_loss import DaroPolicyLossConfig, reweighted
from tests.unit.bins import daro_scale, tokens_of

G, PROMPT, LENGTH = 4, 3, 6


def actor_config(base_loss: str, daro: bool = True, **settings) -> McoreActorConfig:
    policy_loss = (
        DaroPolicyLossConfig(loss_mode="daro", daro={"base_loss_mode": base_loss, "num_rollouts": G, "options": {}})
        if daro
        else PolicyLossConfig(loss_mode=base_loss)
    )
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
    return data, {"log_probs": log_probs, "entropy": entropy}, response_bins(returns, mask, G)[0]


def run(config, data, model_output, bins, weights, scale=None):
    """Loss and gradient for the log-probabilities, flattened over tokens."""
    log_probs = model_output["log_probs"].detach().clone().requires_grad_()
    loss_fn = partial(ppo_loss, config=config)
    tokens = tokens_of(bins, data["response_mask"].to_padded_tensor(0), G)
    bin_loss = BinLoss(daro_scale(weights, tokens) if scale is None else scale(tokens))
    with reweighted(bin_loss, bins):
        loss, metrics = loss_fn(model_output={**model_output, "log_probs": log_probs}, data=data)
    loss.backward()
    return loss.detach(), log_probs.grad.values(), metrics, bin_loss


def pick(nested: torch.Tensor, rows: list[int]) -> torch.Tensor:
    """Some rows of a nested tensor."""
    parts = list(nested.unbind())
    return torch.nested.as_nested_tensor([parts[i] for i in rows], layout=torch.jagged)


@pytest.mark.parametrize("base_loss", ["vanilla", "gspo", "cispo", "gpg", "dppo_tv", "dppo_kl"])
def test_equal_token_weights_reproduce_verls_own_loss(base_loss):
    """With every response scaled by 1 / N, the sum by bin is verl's token mean: same loss, same gradient."""
    data, output, bins = micro_batch(0)
    tokens = data["batch_num_tokens"]
    ours = run(actor_config(base_loss), data, output, bins, None, scale=lambda t: torch.full_like(t, 1 / tokens))
    log_probs = output["log_probs"].detach().clone().requires_grad_()
    own, _ = ppo_loss(actor_config(base_loss, daro=False), {**output, "log_probs": log_probs}, data)
    own.backward()
    torch.testing.assert_close(ours[0], own.detach(), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(ours[1], log_probs.grad.values(), rtol=1e-6, atol=1e-9)


def test_each_bin_is_its_own_token_mean_of_verls_loss():
    """L_k is what verl's vanilla loss gives for the bin's responses alone; the loss is sum_k w_k L_k."""
    data, output, bins = micro_batch(1)
    weights = torch.tensor([3.0, 0.5, 7.0], dtype=torch.float64)
    loss, _, _, bin_loss = run(actor_config("vanilla"), data, output, bins, weights)
    tokens = tokens_of(bins, data["response_mask"].to_padded_tensor(0), G)
    expected = 0.0
    for k in (1, 2, 3):
        rows = (bins == k).nonzero().flatten().tolist()
        fields = {name: pick(value, rows) for name, value in data.items() if isinstance(value, torch.Tensor)}
        part = TensorDict(fields, batch_size=len(rows))
        tu.assign_non_tensor(part, dp_size=1, batch_num_tokens=int(tokens[k]), global_batch_size=len(rows))
        log_probs = torch.nested.as_nested_tensor(
            [list(output["log_probs"].unbind())[i] for i in rows], layout=torch.jagged
        )
        own, _ = ppo_loss(actor_config("vanilla", daro=False), {"log_probs": log_probs}, part)
        assert (bin_loss.sums[k] / tokens[k]).item() == pytest.approx(own.item(), rel=1e-5)
        expected += weights[k - 1].item() * own.item()
    assert loss.item() == pytest.approx(expected, rel=1e-5)


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
    own_bare, _ = ppo_loss(actor_config("vanilla", daro=False), output, data)
    own_full, metrics = ppo_loss(actor_config("vanilla", daro=False, **terms), output, data)
    assert (full[0] - bare[0]).item() == pytest.approx((own_full - own_bare).item(), rel=1e-4)
    for name in ("actor/entropy_loss", "kl_loss"):
        assert full[2][name].aggregate() == metrics[name].aggregate()


def test_outside_daros_actor_worker_the_loss_refuses():
    data, output, _ = micro_batch(4)
    with pytest.raises(DaroSeamError, match="outside DARO's actor worker"):
        ppo_loss(actor_config("vanilla"), output, data)


def test_a_base_loss_that_bypasses_agg_loss_is_refused():
    @register_policy_loss("test_without_agg_loss")
    def own_sum(old_log_prob, log_prob, advantages, response_mask, loss_agg_mode, config, rollout_is_weights):
        return (log_prob * response_mask).sum(), {}

    data, output, bins = micro_batch(5)
    with pytest.raises(DaroSeamError, match="got '0 calls of agg_loss', expected exactly 1"):
        run(actor_config("test_without_agg_loss"), data, output, bins, torch.ones(3))


def test_verls_loss_outside_daro_is_untouched_even_inside_the_context():
    """A plain loss while DARO's context is open (the worker's KL and entropy sums) takes verl's own path."""
    data, output, bins = micro_batch(6)
    own, _ = ppo_loss(actor_config("vanilla", daro=False), output, data)
    with reweighted(BinLoss(torch.zeros(G + 1, dtype=torch.float64)), bins):
        again, _ = ppo_loss(actor_config("vanilla", daro=False), output, data)
    assert torch.equal(own, again)
