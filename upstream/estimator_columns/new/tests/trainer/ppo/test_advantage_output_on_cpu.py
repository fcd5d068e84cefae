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
"""Columns and metrics of an advantage estimator reach the batch and the log. No GPU or Ray is needed."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from tensordict import TensorDict
from transfer_queue import KVBatchMeta

from verl.protocol import DataProto
from verl.trainer.ppo import core_algos
from verl.trainer.ppo.ray_trainer import compute_advantage
from verl.trainer.ppo.v1 import trainer_base

LENGTHS = [2, 3]


@pytest.fixture(autouse=True)
def estimators(monkeypatch):
    """Two estimators that are registered as long as a test runs."""
    monkeypatch.setattr(core_algos, "ADV_ESTIMATOR_REGISTRY", dict(core_algos.ADV_ESTIMATOR_REGISTRY))

    @core_algos.register_adv_est("with_columns")
    def with_columns(token_level_rewards, response_mask, **kwargs):
        return core_algos.AdvantageOutput(
            advantages=token_level_rewards,
            returns=token_level_rewards,
            columns={"difficulty": 0.5 * response_mask},
            metrics={"adv/solved": 1.0},
        )

    @core_algos.register_adv_est("pair")
    def pair(token_level_rewards, response_mask, **kwargs):
        return token_level_rewards, token_level_rewards


def _batch():
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    return DataProto.from_dict(
        tensors={"token_level_rewards": mask.float(), "response_mask": mask},
        non_tensors={"uid": np.array(["a", "a"], dtype=object)},
    )


def test_columns_and_metrics_are_in_the_batch():
    data = compute_advantage(_batch(), adv_estimator="with_columns")
    assert torch.equal(data.batch["advantages"], data.batch["token_level_rewards"])
    assert torch.equal(data.batch["difficulty"], 0.5 * data.batch["response_mask"])
    assert data.meta_info["adv_metrics"] == {"adv/solved": 1.0}


def test_pair_stays_what_it_was():
    data = compute_advantage(_batch(), adv_estimator="pair")
    assert set(data.batch.keys()) == {"token_level_rewards", "response_mask", "advantages", "returns"}
    assert "adv_metrics" not in data.meta_info


def test_a_column_of_the_batch_is_not_replaced():
    batch = _batch()
    batch.batch["difficulty"] = torch.ones(2, 3)
    with pytest.raises(ValueError, match="in the batch already: \\['difficulty'\\]"):
        compute_advantage(batch, adv_estimator="with_columns")


class _TransferQueue:
    """Stands for the queue: gives two responses and keeps what is put."""

    def kv_batch_get(self, keys, partition_id, select_fields):
        rows = {name: [torch.ones(length) for length in LENGTHS] for name in ("response_mask", "rm_scores")}
        nested = {name: torch.nested.as_nested_tensor(row, layout=torch.jagged) for name, row in rows.items()}
        return TensorDict({"uid": torch.tensor([0, 0]), **nested}, batch_size=len(LENGTHS))

    def kv_batch_put(self, keys, partition_id, fields):
        self.fields = fields


def _v1_computes(monkeypatch, estimator: str):
    queue, metrics = _TransferQueue(), {}
    monkeypatch.setattr(trainer_base, "tq", queue)
    algorithm = {"adv_estimator": estimator, "use_kl_in_reward": False, "gamma": 1.0, "lam": 1.0}
    config = OmegaConf.create({"algorithm": algorithm, "actor_rollout_ref": {"rollout": {"n": 2}}})
    batch = KVBatchMeta(keys=["0_0_0", "0_1_0"], tags=[{}, {}], partition_id="train")
    trainer_base.PPOTrainer._compute_advantage(SimpleNamespace(config=config), batch, metrics)
    return queue.fields, metrics


def test_v1_hands_columns_to_the_workers_and_metrics_to_the_log(monkeypatch):
    fields, metrics = _v1_computes(monkeypatch, "with_columns")
    assert set(fields.keys()) == {"advantages", "returns", "difficulty"}
    assert [row.tolist() for row in fields["difficulty"].unbind()] == [[0.5] * length for length in LENGTHS]
    assert metrics == {"adv/solved": 1.0}


@pytest.mark.parametrize("estimator", ["pair", "grpo"])
def test_v1_hands_on_only_advantages_and_returns_of_a_pair(monkeypatch, estimator):
    fields, metrics = _v1_computes(monkeypatch, estimator)
    assert set(fields.keys()) == {"advantages", "returns"}
    assert metrics == {}
