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
"""Weights that were received through shared memory outlive it, also where the device is the CPU."""

import importlib.util
import uuid
from pathlib import Path
from unittest.mock import MagicMock

import torch


def _load_bucketed_weight_transfer():
    """The module needs no vLLM, but its package does."""
    path = Path(__file__).resolve().parents[2] / "verl/workers/rollout/vllm_rollout/bucketed_weight_transfer.py"
    spec = importlib.util.spec_from_file_location("bucketed_weight_transfer", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bucketed_weight_transfer = _load_bucketed_weight_transfer()


def test_weights_outlive_their_bucket(monkeypatch):
    monkeypatch.setattr(bucketed_weight_transfer, "get_torch_device", lambda: MagicMock())
    monkeypatch.setattr(bucketed_weight_transfer, "is_support_ipc", lambda: False)
    size, name = 16, f"verl_weights_{uuid.uuid4().hex}"
    segment = bucketed_weight_transfer.create_shared_memory(size, name)
    values = [torch.arange(4.0), torch.arange(4.0) + 10.0]

    def send_next():
        value = values[send_next.index]
        segment.buf[:size] = value.numpy().tobytes()
        send_next.index += 1
        entry = {"name": "weight", "shape": value.shape, "dtype": value.dtype, "offset": 0, "handle": None}
        return {"bucket_meta": {"weight": entry}, "is_last": send_next.index == len(values)}

    send_next.index = 0
    messages = iter([lambda: {"name": name, "size": size}, send_next, send_next])
    receiver = bucketed_weight_transfer.BucketedWeightReceiver(
        "ipc:///tmp/unused.sock", device=torch.device("cpu"), use_shm=True
    )
    socket = MagicMock()
    socket.recv_pyobj.side_effect = lambda: next(messages)()
    monkeypatch.setattr(receiver, "_init_socket", lambda: setattr(receiver, "socket", socket))

    received = []
    try:
        receiver.receive_weights(lambda weights, is_last: received.extend(weight for _, weight in weights))
    finally:
        segment.unlink()
    assert len(received) == len(values)
    assert all(torch.equal(weight, value) for weight, value in zip(received, values, strict=True))
