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
"""A saved version of a model must not follow its parameters, wherever they are while it is saved."""

import pytest
import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from verl.utils.fsdp_utils import fsdp2_sharded_load_from_cpu, fsdp2_sharded_save_to_cpu


@pytest.fixture
def model(tmp_path):
    """An FSDP2 model whose shards are on the CPU, as with ``param_offload``, and a parameter that is not sharded."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    model = torch.nn.Module()
    model.sharded = fully_shard(torch.nn.Linear(4, 4), mesh=init_device_mesh("cpu", (1,)))
    model.plain = torch.nn.Parameter(torch.ones(3))
    yield model
    torch.distributed.destroy_process_group()


def _values(model):
    return {name: getattr(p, "_local_tensor", p).detach().clone() for name, p in model.named_parameters()}


def _changed(values, before):
    return [name for name in before if not torch.equal(values[name], before[name])]


def test_saved_model_survives_an_update(model):
    before = _values(model)
    saved, spec = fsdp2_sharded_save_to_cpu(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    assert _changed({name: shard for name, (shard, _) in saved.items()}, before) == []

    fsdp2_sharded_load_from_cpu(model, saved, spec)
    assert _changed(_values(model), before) == []
