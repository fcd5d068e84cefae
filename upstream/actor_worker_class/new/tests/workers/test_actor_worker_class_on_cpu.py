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
"""``actor.worker_class`` chooses the actor's training worker. No GPU or Ray is needed."""

from types import SimpleNamespace

import pytest
from hydra import compose, initialize_config_module

from verl.utils.config import omega_conf_to_dataclass
from verl.workers.engine_workers import ActorRolloutRefWorker


class _Worker:
    def __init__(self, config, scale=1.0):
        self.config = config
        self.scale = scale


class _OtherWorker(_Worker):
    pass


def _actor_config(engine: str, *overrides: str):
    with initialize_config_module("verl.trainer.config", version_base=None):
        job = compose(
            "ppo_trainer",
            [
                f"model_engine={engine}",
                "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=1",
                *overrides,
            ],
        )
    return omega_conf_to_dataclass(job.actor_rollout_ref.actor)


@pytest.mark.parametrize("engine", ["dp", "megatron"])
def test_named_class_gets_its_arguments(engine):
    name = f"actor_rollout_ref.actor.worker_class={__name__}._OtherWorker"
    actor_config = _actor_config(engine, name, "+actor_rollout_ref.actor.worker_kwargs.scale=2.0")
    outer = SimpleNamespace(actor_worker_cls=_Worker)
    actor = ActorRolloutRefWorker._build_actor(outer, actor_config, "training config")
    assert type(actor) is _OtherWorker
    assert (actor.config, actor.scale) == ("training config", 2.0)


def test_class_attribute_is_used_where_none_is_named():
    outer = SimpleNamespace(actor_worker_cls=_Worker)
    actor = ActorRolloutRefWorker._build_actor(outer, _actor_config("dp"), "training config")
    assert type(actor) is _Worker


def test_class_that_does_not_exist_is_told():
    actor_config = _actor_config("dp", f"actor_rollout_ref.actor.worker_class={__name__}._NoWorker")
    with pytest.raises(AttributeError, match="_NoWorker"):
        ActorRolloutRefWorker._build_actor(SimpleNamespace(actor_worker_cls=_Worker), actor_config, "training config")
