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
"""``rollout.checkpoint_manager_class`` chooses the manager of every weight sync. No GPU or Ray is needed."""

import asyncio
from types import SimpleNamespace
from unittest.mock import AsyncMock, MagicMock

import pytest
from omegaconf import OmegaConf

from verl.checkpoint_engine import CheckpointEngineManager
from verl.trainer.ppo.utils import Role
from verl.trainer.ppo.v1 import trainer_base, trainer_separate_async


class _CustomManager:
    def __init__(self, config, actor_wg, replicas):
        self.config = config

    def sleep_replicas(self):
        pass


@pytest.fixture
def config():
    return OmegaConf.create(
        {
            "actor_rollout_ref": {
                "model": {},
                "rollout": {
                    "checkpoint_manager_class": f"{__name__}._CustomManager",
                    "checkpoint_engine": {"_target_": "verl.workers.config.CheckpointEngineConfig"},
                    "prometheus": {"enable": False},
                },
            },
            "global_profiler": {},
            "reward": {"reward_model": {"enable": False}},
            "trainer": {"device": "cpu"},
        }
    )


def _trainer(cls, config):
    trainer = cls.__new__(cls)
    trainer.config = config
    trainer.use_critic = trainer.use_reference_policy = trainer.use_teacher_policy = False
    for step in ("tokenizer", "dataloader", "dump_executor", "resource_pool_mgr"):
        setattr(trainer, f"_init_{step}", lambda: None)
    trainer._load_checkpoint = lambda: None
    trainer.role_worker_mapping = {Role.ActorRollout: object}
    pool = object()
    trainer.resource_pool_manager = MagicMock(resource_pool_dict={"global_pool": pool})
    trainer.resource_pool_manager.get_resource_pool.return_value = pool
    return trainer


@pytest.fixture
def no_ray(monkeypatch):
    for name in ("RayClassWithInitArgs", "create_colocated_worker_cls", "RewardLoopManager", "LLMServerManager"):
        monkeypatch.setattr(trainer_base, name, MagicMock())
    worker_group = MagicMock()
    worker_group.return_value.spawn.return_value = {str(Role.ActorRollout): MagicMock()}
    monkeypatch.setattr(trainer_base, "RayWorkerGroup", worker_group)


class _Trainer(trainer_base.PPOTrainer):
    def on_step_end(self):
        pass

    def on_sample_end(self):
        pass


def test_v1_uses_the_configured_class(config, no_ray):
    trainer = _trainer(_Trainer, config)
    trainer._setup()
    assert type(trainer.checkpoint_manager) is _CustomManager
    assert trainer.checkpoint_manager.config.backend == "naive"


def test_v1_uses_the_default_class_where_none_is_configured(config, no_ray, monkeypatch):
    monkeypatch.setattr(CheckpointEngineManager, "sleep_replicas", lambda self: None)
    config.actor_rollout_ref.rollout.checkpoint_manager_class = None
    trainer = _trainer(_Trainer, config)
    trainer._setup()
    assert type(trainer.checkpoint_manager) is CheckpointEngineManager


def test_v1_separate_async_uses_the_configured_class_for_standalone_servers(config, monkeypatch):
    monkeypatch.setattr(trainer_base.PPOTrainer, "_setup", lambda self: None)
    monkeypatch.setattr(trainer_separate_async, "LLMServerManager", MagicMock())
    trainer = _trainer(trainer_separate_async.PPOTrainerSeparateAsync, config)
    trainer._enable_hybrid_replicas = True
    trainer.add_replicas_to_balancer = lambda: None
    trainer.actor_rollout_wg = None
    trainer.llm_server_manager = SimpleNamespace(rollout_replicas=[], server_addresses=[])
    trainer._setup()
    assert type(trainer.standalone_checkpoint_manager) is _CustomManager


def test_fully_async_uses_the_configured_class(config):
    from verl.experimental.fully_async_policy.fully_async_trainer import FullyAsyncTrainer

    rollouter = MagicMock()
    rollouter.get_replicas.remote = AsyncMock(return_value=[])
    trainer = SimpleNamespace(config=config, rollouter=rollouter, actor_wg=None)
    asyncio.run(FullyAsyncTrainer.__ray_metadata__.modified_class._setup_checkpoint_manager(trainer))
    assert type(trainer.checkpoint_manager) is _CustomManager
