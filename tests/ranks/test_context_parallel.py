"""Context parallelism against one rank, on real GPUs: it needs Transformer Engine, which needs CUDA.

Its arithmetic without a GPU: ``unit/test_layout_arithmetic.py``.
"""

import importlib.util
import os
import subprocess
import sys

import pytest
import torch

from tests.ranks import matrix

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        torch.cuda.device_count() < 2 or importlib.util.find_spec("transformer_engine") is None,
        reason="context parallelism: needs two GPUs and Transformer Engine",
    ),
]
BOUND = 2e-2  # bfloat16


def train(model: str, out, num_ranks: int) -> dict:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={num_ranks}"]
    command += ["-m", "tests.ranks.train_ranks", "--model", model, "--out", str(out)]
    command += ["--cp", str(num_ranks), "--dtype", "bfloat16"]
    env = {name: value for name, value in os.environ.items() if name != "VERL_PLATFORM"}
    done = subprocess.run(command, cwd=matrix.ROOT, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return torch.load(out, weights_only=False)["variants"]["static 2"]


def test_two_context_parallel_ranks_train_as_one(model, tmp_path):
    one, two = train(model, tmp_path / "one", 1), train(model, tmp_path / "two", 2)
    for a, b in zip(one["gradients"], two["gradients"], strict=True):
        assert matrix.distance(b, a) <= BOUND
    for rank in two["ranks"]:
        for a, b in zip(one["ranks"][0]["steps"], rank["steps"], strict=True):
            assert matrix.distance_of(b["weights"], a["weights"]) <= BOUND
