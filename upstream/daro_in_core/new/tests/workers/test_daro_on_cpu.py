# Copyright 2026 Bytedance Ltd. and/or its affiliates
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""DARO (https://arxiv.org/abs/2510.09001) against its formula: ``sum_k w_k L_k`` for the model, ``w_k = 1 / L_k``."""

import math
from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_module
from tensordict import TensorDict

from verl.trainer.config import AlgoConfig, DaroConfig
from verl.trainer.ppo.core_algos import AdvantageEstimator, compute_daro_outcome_advantage
from verl.utils import tensordict_utils as tu
from verl.utils.config import omega_conf_to_dataclass
from verl.workers.config import FSDPActorConfig
from verl.workers.engine_workers import TrainingWorker
from verl.workers.utils.daro import DifficultyWeights
from verl.workers.utils.losses import ppo_loss

G = 4
SOLVED = (0, 1, 1, 3, 3, 4)  # successes of each prompt: bins 0 and G are there, bin 2 is not
PRESENT = [1, 3]
CLIP = 0.2
PAPER = {"form": "paper", "loss_ema_decay": 0.0, "weight_min": 0.01, "weight_max": 100.0}


@pytest.fixture(autouse=True)
def one_rank(monkeypatch):
    if torch.distributed.is_initialized():  # another test left its group of one rank
        torch.distributed.destroy_process_group()
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    monkeypatch.setattr("verl.workers.utils.daro.get_device_id", lambda: "cpu")
    yield
    torch.distributed.destroy_process_group()


class Engine(torch.nn.Module):
    """A model with one log-probability per token, trained in micro-batches as verl's engines do."""

    def __init__(self, num_micro_batches=2):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.log_probs = torch.nn.Parameter(-1 + 0.3 * torch.randn(240, generator=generator))
        self.optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        self.num_micro_batches = num_micro_batches

    def train_mode(self, **kwargs):
        return nullcontext()

    def is_mp_src_rank_with_outputs(self):
        return True

    def get_data_parallel_group(self):
        return None

    def train_batch(self, data, loss_function):
        self.optimizer.zero_grad()
        tu.assign_non_tensor(data, batch_num_tokens=int(data["response_mask"].values().sum()), dp_size=1)
        sizes = data["input_ids"].offsets().diff().tolist()
        log_probs, losses = self.log_probs[: sum(sizes)].split(sizes), []
        for rows in torch.arange(len(data)).chunk(self.num_micro_batches):
            output = {"log_probs": torch.nested.as_nested_tensor([log_probs[i] for i in rows], layout=torch.jagged)}
            loss, _ = loss_function(model_output=output, data=tu.index_select_tensor_dict(data, rows))
            loss.backward()
            losses.append(loss.item())
        norm = self.log_probs.grad.norm()
        self.optimizer.step()
        return {"loss": losses, "model_output": {}, "metrics": {"grad_norm": norm}}

    def save_checkpoint(self, *args):
        pass

    load_checkpoint = save_checkpoint


def make_batch(solved=SOLVED, order=0, **daro):
    """Responses of 1 to 8 tokens, of shuffled prompts, as verl's trainers send them: nested tensors."""
    generator = torch.Generator().manual_seed(order)
    order = torch.randperm(len(solved) * G, generator=generator)
    reward = torch.tensor([float(i < n) for n in solved for i in range(G)])[order]
    lengths = torch.randint(1, 6, (len(order),), generator=generator) + 3 * (reward == 0)
    mask = (torch.arange(8) < lengths[:, None]).long()
    rewards = torch.zeros(mask.shape).scatter_(1, lengths[:, None] - 1, reward[:, None])
    prompt_of = np.repeat(np.arange(len(solved)), G)[order.numpy()]
    advantages, returns = compute_daro_outcome_advantage(
        token_level_rewards=rewards, response_mask=mask, index=prompt_of, config=AlgoConfig(daro=DaroConfig(**daro))
    )
    old_log_probs = -1 + 0.3 * torch.randn(mask.shape, generator=generator)
    nested = partial(torch.nested.as_nested_tensor, layout=torch.jagged)
    columns = {"response_mask": mask, "advantages": advantages, "returns": returns, "old_log_probs": old_log_probs}
    data = TensorDict(
        {name: nested([row[:n] for row, n in zip(rows, lengths, strict=True)]) for name, rows in columns.items()}
        | {"prompts": nested([torch.zeros(2).long()] * len(order))}
        | {"responses": nested([torch.zeros(n).long() for n in lengths])}
        | {"input_ids": nested([torch.zeros(2 + n).long() for n in lengths])},
        batch_size=len(order),
    )
    tu.assign_non_tensor(data, global_batch_size=len(order))
    bins = torch.tensor(solved)[torch.from_numpy(prompt_of)]
    return data, {"bins": bins, "lengths": lengths, "reward": reward, **columns}


def make_worker(daro, **kwargs):
    worker = object.__new__(TrainingWorker)
    worker.engine = Engine(**kwargs)
    worker.engine_config = SimpleNamespace(
        forward_only=False,
        use_dynamic_bsz=False,
        max_token_len_per_gpu=None,
        micro_batch_size_per_gpu=1,
        use_fused_kernels=False,
    )
    worker.model_config, worker.flops_counter, worker.device_name = {}, None, "cpu"
    actor = FSDPActorConfig(rollout_n=G, ppo_micro_batch_size_per_gpu=1, clip_ratio=CLIP)
    worker.loss_fn = partial(ppo_loss, config=actor)
    worker.daro = None if daro is None else DifficultyWeights(DaroConfig(**daro), G)
    return worker


def expected_losses(rows, log_probs):
    """``L_k`` and ``T_k`` of the bins present by their definition: one response after another."""
    sums, tokens = torch.zeros(G - 1).double(), torch.zeros(G - 1).double()
    sizes = (rows["lengths"] + 2).tolist()
    for i, own in enumerate(log_probs[: sum(sizes)].split(sizes)):
        k, n = int(rows["bins"][i]), int(rows["lengths"][i])
        if not 0 < k < G:
            continue
        ratio = (own[1 : 1 + n] - rows["old_log_probs"][i, :n]).exp()  # the model's output is one token ahead
        advantage = rows["reward"][i] - k / G
        sums[k - 1] += torch.maximum(-advantage * ratio, -advantage * ratio.clamp(1 - CLIP, 1 + CLIP)).sum()
        tokens[k - 1] += n
    return (sums / tokens)[tokens > 0], tokens[tokens > 0]


def test_advantages_are_success_minus_pass_rate_for_any_two_rewards():
    assert AdvantageEstimator("daro") is AdvantageEstimator.DARO
    for low, high in ((0.0, 1.0), (-1.0, 1.0)):
        rewards = torch.tensor([high, low, low, low, high, high, low, low])[:, None]
        prompts = np.array(["a", "b", "a", "b", "a", "c", "a", "b"], dtype=object)
        advantages, returns = compute_daro_outcome_advantage(rewards, torch.ones(8, 1), prompts)
        assert advantages[:, 0].tolist() == [0.5, 0, -0.5, 0, 0.5, 1, -0.5, 0]  # a group of one has no baseline
        assert (returns - advantages)[:, 0].tolist() == [0.5, 0, 0.5, 0, 0.5, 0, 0.5, 0]


@pytest.mark.parametrize("daro", [{}, PAPER], ids=["default", "paper"])
@pytest.mark.parametrize("num_micro_batches", [1, 2, 5])
def test_loss_gradient_and_weights_are_those_of_the_formula(daro, num_micro_batches):
    data, rows = make_batch()
    worker = make_worker(daro, num_micro_batches=num_micro_batches)
    for step in range(3):
        weights = worker.daro.weights()[[k - 1 for k in PRESENT]]
        log_probs = worker.engine.log_probs.detach().double().requires_grad_()
        losses, tokens = expected_losses(rows, log_probs)
        share = tokens / rows["lengths"].sum()  # of all response tokens, those of bins 0 and G too
        factors = weights if daro else share * weights
        expected = (factors * losses).sum()
        expected.backward()
        metrics = worker.train_batch(data.copy())["metrics"]
        assert metrics["loss"] == pytest.approx(expected.item(), rel=1e-5)
        torch.testing.assert_close(worker.engine.log_probs.grad.double(), log_probs.grad, rtol=1e-4, atol=1e-7)
        for i, k in enumerate(PRESENT):
            assert metrics[f"daro/loss/{k}of{G}"] == [pytest.approx(losses[i].item(), rel=1e-4, abs=1e-6)]
            assert metrics[f"daro/weight/{k}of{G}"] == [weights[i].item()]
            if step == 0:  # from the start, Adam's first step is weight_lr along the sign of w L - nu
                start, nu = (1, 1) if daro else ((k / G) ** -0.5, (k / G) ** 0.5 * (1 - k / G))
                moved = start * math.exp(math.copysign(0.05, nu - start * losses[i].item()))
                assert weights[i].item() == pytest.approx(start)
                assert worker.daro.weights()[k - 1].item() == pytest.approx(moved, rel=1e-4)
    assert f"daro/loss/2of{G}" not in metrics
    assert worker.daro.weights()[1].item() == pytest.approx(1 if daro else 2**0.5)


def test_prompts_that_teach_nothing_do_nothing():
    data, rows = make_batch()
    worker = make_worker({})
    worker.train_batch(data)
    of_token = torch.repeat_interleave(rows["bins"], rows["lengths"] + 2)
    gradient = worker.engine.log_probs.grad[: len(of_token)]
    assert all(gradient[of_token == k].any() for k in PRESENT)
    assert not gradient[(of_token == 0) | (of_token == G)].any()

    data, _ = make_batch(solved=(0, G, 0))
    worker = make_worker({})
    metrics = worker.train_batch(data)["metrics"]
    assert metrics["loss"] == 0 and metrics["grad_norm"] == 0
    torch.testing.assert_close(worker.daro.weights(), worker.daro.start)


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_weights_find_the_minimum_and_stay_in_their_bounds(decay):
    weights = DifficultyWeights(DaroConfig(**PAPER | {"loss_ema_decay": decay}), G)
    present = torch.tensor([True, True, False])
    for _ in range(400):
        weights.update(torch.tensor([0.25, -1.0, torch.nan]).double(), present)
    assert weights.weights().tolist() == pytest.approx([4, 100, 1], rel=1e-3)  # 1 / L; the upper bound; absent
    lean = DifficultyWeights(DaroConfig(loss_ema_decay=decay), G)
    for _ in range(400):  # mu (1 - mu) times a gap of 1/2 and 2: mu^-1/2 over it; three times the start
        lean.update(torch.tensor([3 / 32, 1 / 2, -1.0]).double(), torch.ones(3).bool())
    assert lean.weights().tolist() == pytest.approx([2 / 0.5, 2**0.5 / 2, 3 * (4 / 3) ** 0.5], rel=1e-3)


def test_a_gradient_that_is_not_finite_moves_no_weight():
    worker = make_worker({})
    train_batch = worker.engine.train_batch
    worker.engine.train_batch = lambda *args, **kwargs: (
        train_batch(*args, **kwargs) | {"metrics": {"grad_norm": math.inf}}
    )
    worker.train_batch(make_batch()[0])
    torch.testing.assert_close(worker.daro.weights(), worker.daro.start)


def test_a_resumed_run_goes_on_to_the_last_bit(tmp_path):
    batches = [make_batch(order=i)[0] for i in range(5)]

    def train(worker, part):
        for data in part:
            worker.train_batch(data.copy())

    worker, resumed, fresh = (make_worker({}) for _ in range(3))
    train(worker, batches[:3])
    worker.save_checkpoint(str(tmp_path))
    resumed.engine.load_state_dict(worker.engine.state_dict())
    resumed.load_checkpoint(str(tmp_path))
    assert torch.equal(resumed.daro.weights(), worker.daro.weights())
    train(worker, batches[3:])
    train(resumed, batches[3:])
    assert torch.equal(resumed.daro.weights(), worker.daro.weights())
    fresh.load_checkpoint(str(tmp_path / "without"))  # a checkpoint of another algorithm
    torch.testing.assert_close(fresh.daro.weights(), fresh.daro.start)
    fresh.daro = DifficultyWeights(DaroConfig(), 2 * G)
    with pytest.raises(RuntimeError, match="log_weights"):  # of another rollout.n
        fresh.load_checkpoint(str(tmp_path))
    (tmp_path / "daro.pt").write_bytes(b"cut off")
    with pytest.raises(RuntimeError, match="daro.pt cannot be read"):
        fresh.load_checkpoint(str(tmp_path))


def test_another_decay_goes_on_from_the_same_average():
    before, after = (DifficultyWeights(DaroConfig(loss_ema_decay=decay), G) for decay in (0.9, 0.99))
    losses, present = torch.tensor([0.2, 0.05, 0.1]).double(), torch.tensor([True, True, False])
    for _ in range(5):
        before.update(losses, present)
    after.load_state_dict(before.state_dict())
    after.update(losses, present)
    assert after.loss_ema.tolist() == pytest.approx([0.2, 0.05, 0])


def test_logits_of_a_distillation_are_passed_through():
    logits = {"student_logits": torch.ones(1), "data": {}}
    assert DifficultyWeights(DaroConfig(), G).loss(lambda **given: given, **logits) == logits


def test_one_override_reaches_the_actor():
    overrides = ["actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=1", "actor_rollout_ref.rollout.n=8"]
    with initialize_config_module("verl.trainer.config", version_base=None):
        config = compose("ppo_trainer", [*overrides, "algorithm.adv_estimator=daro", "algorithm.daro.weight_max=5"])
    actor = omega_conf_to_dataclass(config.actor_rollout_ref.actor)
    assert actor.adv_estimator == "daro" and actor.daro == omega_conf_to_dataclass(config.algorithm).daro
    assert actor.daro.weight_max == 5


@pytest.mark.parametrize(
    "settings",
    [
        {"loss_agg_mode": "seq-mean-token-mean"},
        {"policy_loss": SimpleNamespace(loss_mode="kl_cov")},
        {"policy_loss": SimpleNamespace(loss_mode="cispo")},
        {"rollout_n": 1},
    ],
)
def test_what_daro_cannot_scale_is_refused(settings):
    with pytest.raises(ValueError, match="adv_estimator=daro"):
        FSDPActorConfig(**{"rollout_n": G, "ppo_micro_batch_size_per_gpu": 1, "adv_estimator": "daro", **settings})


@pytest.mark.parametrize("setting", [{"loss_ema_decay": 1.0}, {"weight_lr": 0.0}, {"weight_min": 2.0}, {"form": "?"}])
def test_settings_that_would_break_the_weights_are_refused(setting):
    with pytest.raises(ValueError, match=next(iter(setting)).replace("weight_min", "bounds")):
        DaroConfig(**setting)
