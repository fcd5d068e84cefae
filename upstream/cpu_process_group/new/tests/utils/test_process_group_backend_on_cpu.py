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
"""The global process group on a platform whose device is the CPU, and on one with an accelerator."""

from unittest.mock import MagicMock

import pytest
import torch

from verl.utils import distributed


@pytest.fixture
def cpu_platform(monkeypatch, tmp_path):
    """What a platform whose device is the CPU answers (``verl.plugin.platform``), and one rank."""
    monkeypatch.setattr(distributed, "get_device_name", lambda: "cpu")
    monkeypatch.setattr(distributed, "get_nccl_backend", lambda: "gloo")
    monkeypatch.setattr(distributed, "get_torch_device", lambda: MagicMock())
    monkeypatch.setenv("DIST_INIT_METHOD", f"file://{tmp_path}/store")
    for name, value in {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)


def _reduce_one() -> float:
    try:
        value = torch.ones(1)
        torch.distributed.all_reduce(value)
        return value.item()
    finally:
        distributed.destroy_global_process_group()


def test_ray_workers_start_on_the_cpu(cpu_platform):
    distributed.initialize_global_process_group_ray()
    assert _reduce_one() == 1.0


def test_torchrun_starts_on_the_cpu(cpu_platform, monkeypatch):
    # torchrun's own rendezvous is `env://`; the file has rank and world size in its address.
    monkeypatch.setenv("DIST_INIT_METHOD", f"{distributed.os.environ['DIST_INIT_METHOD']}?rank=0&world_size=1")
    assert distributed.initialize_global_process_group() == (0, 0, 1)
    assert _reduce_one() == 1.0


@pytest.mark.parametrize(("device", "backend"), [("cuda", "nccl"), ("npu", "hccl")])
def test_accelerators_keep_both_backends(device, backend, monkeypatch):
    monkeypatch.setattr(distributed, "get_device_name", lambda: device)
    monkeypatch.setattr(distributed, "get_nccl_backend", lambda: backend)
    start = MagicMock()
    monkeypatch.setattr(torch.distributed, "init_process_group", start)
    distributed.initialize_global_process_group_ray()
    assert start.call_args.kwargs["backend"] == f"cpu:gloo,{device}:{backend}"
