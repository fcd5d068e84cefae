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
"""A session of several outputs counts once for every estimator of outcomes, not only for GRPO."""

import numpy as np
import pytest
import torch

from verl.protocol import DataProto
from verl.trainer.config import AlgoConfig
from verl.trainer.ppo import core_algos
from verl.trainer.ppo.v1.utils import compute_advantage, compute_advantage_for_multi_trajectories

ESTIMATORS = {
    "grpo": core_algos.compute_grpo_outcome_advantage,
    "grpo_passk": core_algos.compute_grpo_passk_outcome_advantage,
    "grpo_vectorized": core_algos.compute_grpo_vectorized_outcome_advantage,
    "gpg": core_algos.compute_gpg_outcome_advantage,
    "reinforce_plus_plus_baseline": core_algos.compute_reinforce_plus_plus_baseline_outcome_advantage,
    "rloo": core_algos.compute_rloo_outcome_advantage,
    "rloo_vectorized": core_algos.compute_rloo_vectorized_outcome_advantage,
}
# Sessions 0 and 2 of prompt a have two outputs each, of which the last one has the session's reward.
KEYS = ["a_0_0", "a_0_1", "a_1_0", "a_2_0", "a_2_1", "b_0_0", "b_1_0"]
FINAL_ROWS = [1, 2, 4, 5, 6]
FINAL_ROW_OF = [0, 0, 1, 2, 2, 3, 4]


@pytest.fixture(autouse=True)
def estimators(monkeypatch):
    """Registered, whatever other tests do to the registry."""
    monkeypatch.setattr(core_algos, "ADV_ESTIMATOR_REGISTRY", dict(ESTIMATORS))


def _batch() -> DataProto:
    mask = torch.tensor([[1, 1, 0], [1, 0, 0], [1, 1, 1], [1, 1, 1], [0, 1, 1], [1, 1, 0], [1, 1, 1]])
    outcome = torch.tensor([0.0, 1.0, 0.0, 0.0, 3.0, 1.0, 0.0])
    rewards = torch.zeros(mask.shape)
    rewards[:, 2] = outcome
    uid = np.array([key[0] for key in KEYS], dtype=object)
    return DataProto.from_dict(
        tensors={"token_level_rewards": rewards, "response_mask": mask}, non_tensors={"uid": uid}
    )


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_session_counts_once(estimator):
    arguments = dict(adv_estimator=estimator, config=AlgoConfig())
    result = compute_advantage_for_multi_trajectories(_batch(), batch_keys=KEYS, **arguments)
    final = compute_advantage(_batch().select_idxs(FINAL_ROWS), **arguments)
    for field in ("advantages", "returns"):
        of_session = final.batch[field].gather(1, final.batch["response_mask"].argmax(dim=1, keepdim=True))
        expected = of_session[FINAL_ROW_OF] * _batch().batch["response_mask"]
        torch.testing.assert_close(result.batch[field], expected)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_sessions_of_one_output_are_as_before(estimator):
    keys = [f"{uid}_{row}_0" for row, uid in enumerate("aaaaabb")]
    arguments = dict(adv_estimator=estimator, config=AlgoConfig())
    result = compute_advantage_for_multi_trajectories(_batch(), batch_keys=keys, **arguments)
    expected = compute_advantage(_batch(), **arguments)
    for field in ("advantages", "returns"):
        torch.testing.assert_close(result.batch[field], expected.batch[field] * _batch().batch["response_mask"])


def test_custom_estimator_is_delegated_unless_it_adds_its_name(monkeypatch):
    rows_seen = []

    def custom(token_level_rewards, response_mask, **kwargs):
        rows_seen.append(len(token_level_rewards))
        return response_mask.float(), response_mask.float()

    monkeypatch.setattr(core_algos, "ADV_ESTIMATOR_REGISTRY", {"custom": custom})
    compute_advantage_for_multi_trajectories(_batch(), batch_keys=KEYS, adv_estimator="custom")
    monkeypatch.setattr(core_algos, "OUTCOME_ADV_ESTIMATORS", {"custom"})
    compute_advantage_for_multi_trajectories(_batch(), batch_keys=KEYS, adv_estimator="custom")
    assert rows_seen == [len(KEYS), len(FINAL_ROWS)]
