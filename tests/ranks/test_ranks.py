"""DARO on spawned Megatron and FSDP2 ranks against one process that computes the formula (``reference.py``).

The scaling chain that must cancel: ``BinLoss`` multiplies each rank's part by ``dp_size`` and by ``w_k / T_k`` with
``T_k`` over all ranks and micro-batches; verl's Megatron engine multiplies by the number of micro-batches; Megatron's
schedule divides by it (FSDP2 does neither); the data-parallel reduction averages over ranks. What is left is
``sum_k w_k L_k``.

Covered: TP = 2, PP = 2, DP = 2, FSDP2 on two ranks, and one rank; uneven micro-batches, prompts scattered over ranks
and micro-batches, off-policy ratios and clipping, three updates of the weights, ``vanilla`` and ``gspo``, saving and
loading. Not covered here: context parallelism (needs Transformer Engine).
"""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch

from tests.ranks import reference
from tests.ranks.batch import NUM_ROLLOUTS, make_rows

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
LAYOUTS = {
    "one": (1, []),
    "tp2": (2, ["--tp", "2"]),
    "pp2": (2, ["--pp", "2"]),
    "dp2": (2, []),
    "fsdp2": (2, ["--engine", "fsdp2"]),
}
FROZEN = ["--lr", "0", "--options", '{"weight_lr": 0.5}']


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    from tests.platform.tiny_model import build

    return str(build(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def train(model, tmp_path_factory):
    """Run the rank script once per (layout, arguments) and return what it saved."""

    @cache
    def run(layout: str, *arguments: str) -> dict:
        num_ranks, parallel = LAYOUTS[layout]
        out = tmp_path_factory.mktemp(layout) / "out.pt"
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={num_ranks}"]
        command += ["-m", "tests.ranks.train_ranks", "--model", model, "--out", str(out), *parallel, *arguments]
        env = {**os.environ, "VERL_PLATFORM": "cpu", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return torch.load(out, weights_only=False)

    return run


@pytest.fixture(scope="module")
def expected(model):
    return cache(lambda loss: reference.train(model, make_rows(0), getattr(reference, loss), weight_lr=0.5))


def relative(got: dict[str, torch.Tensor], want: dict[str, torch.Tensor]) -> float:
    """``|got - want| / |want|`` over all parameters together."""
    assert got.keys() == want.keys()
    difference = sum((got[name].double() - want[name].double()).square().sum() for name in want)
    return (difference / sum(want[name].double().square().sum() for name in want)).sqrt().item()


CASES = [(layout, "vanilla", size) for layout in LAYOUTS for size in ("0", "2")]
CASES += [("tp2", "gspo", "0"), ("dp2", "gspo", "2")]


@pytest.mark.parametrize(("layout", "loss", "micro_batch_size"), CASES)
def test_loss_gradient_and_weights_equal_the_formula(train, expected, layout, loss, micro_batch_size):
    result = train(layout, *FROZEN, "--loss", loss, "--micro-batch-size", micro_batch_size)
    steps = expected(loss)
    assert len(result["gradients"]) == len(steps) == 3
    for i, (gradient, step) in enumerate(zip(result["gradients"], steps, strict=True)):
        assert relative(gradient, step.gradient) <= 1e-5
        for rank in result["ranks"]:
            torch.testing.assert_close(rank["steps"][i]["weights"], step.weights_after, rtol=1e-5, atol=0)
        for metrics in (rank["steps"][i]["metrics"] for rank in result["ranks"]):
            if metrics is None:  # a rank without outputs
                continue
            assert metrics["loss"] == pytest.approx(step.loss, rel=1e-5, abs=1e-6)
            for k in range(1, NUM_ROLLOUTS):
                got = metrics.get(f"daro/loss/{k}of{NUM_ROLLOUTS}", float("nan"))
                assert got == pytest.approx(step.losses[k - 1].item(), rel=1e-5, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("layout", ["tp2", "pp2", "dp2", "fsdp2"])
def test_every_rank_holds_the_same_weights_to_the_last_bit(train, layout):
    first, second = train(layout, "--options", '{"weight_lr": 0.5}')["ranks"]
    for a, b in zip(first["steps"], second["steps"], strict=True):
        assert torch.equal(a["weights"], b["weights"])
        assert not torch.equal(a["weights"], torch.ones_like(a["weights"]))  # they did move


def test_the_reference_exercises_what_it_should(expected):
    """The cases above would prove little if weights stayed at 1 or nothing was clipped."""
    steps = expected("vanilla")
    assert (steps[-1].weights_after - 1).abs().min() > 0.1
    assert all(step.losses.isfinite().all() for step in steps)
    assert min(sum(g.square().sum().item() for g in step.gradient.values()) for step in steps) > 0


@pytest.mark.parametrize("layout", ["tp2", "dp2"])
def test_a_checkpoint_resumes_the_weights_bit_for_bit(train, tmp_path, layout):
    options = ("--options", '{"weight_lr": 0.5}')
    folder = str(tmp_path / "global_step_3" / "actor")
    before = train(layout, *options, "--save", folder)["ranks"][0]["state"]
    assert (Path(folder) / "daro_weights.json").exists()
    after = train(layout, *options, "--load", folder, "--skip", "3")["ranks"]
    for rank in after:
        for name, value in before.items():
            got = rank["state"][name]
            assert torch.equal(got, value) if torch.is_tensor(value) else got == value, name


def test_grpo_is_the_same_to_the_last_bit_with_and_without_the_plugin(model, tmp_path):
    """The same GRPO mini-batches: equal losses, gradient norms and trained weights. Without the plugin, verl's plugin
    discovery is off and only the CPU platform is loaded."""
    without = {"VERL_USE_EXTERNAL_PLUGINS": "none", "VERL_USE_EXTERNAL_MODULES": "tests.ranks.platform_only"}
    runs = {}
    for name, env in {"with": {}, "without": without}.items():
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
        command += ["-m", "tests.ranks.train_grpo", "--model", model, "--out", str(tmp_path / name)]
        env = {**os.environ, "VERL_PLATFORM": "cpu", "OMP_NUM_THREADS": "1", **env}
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        runs[name] = torch.load(tmp_path / name, weights_only=False)
    assert (runs["with"]["plugin"], runs["without"]["plugin"]) == (True, False)
    assert runs["with"]["steps"] == runs["without"]["steps"]
    assert len(runs["with"]["steps"]) == 3 and runs["with"]["steps"][0]["grad_norm"] > 0
    for name, weight in runs["without"]["weights"].items():
        assert torch.equal(weight, runs["with"]["weights"][name]), name
