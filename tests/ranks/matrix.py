"""The layout matrix: every variant on every parallel layout, and how far each is from the formula on one process.

Used by ``test_layouts.py`` and by ``benchmarks/layouts.py``.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from tests.ranks import reference
from tests.ranks.batch import NUM_ROLLOUTS
from tests.ranks.variants import VARIANTS

ROOT = Path(__file__).parents[2]
LAYOUTS = {
    "Megatron DP1": (1, []),
    "Megatron DP2": (2, []),
    "Megatron TP2": (2, ["--tp", "2"]),
    "Megatron PP2": (2, ["--pp", "2"]),
    "Megatron TP2 x DP2": (4, ["--tp", "2"]),
    "Megatron TP2 x PP2": (4, ["--tp", "2", "--pp", "2"]),
    "FSDP2 x 1": (1, ["--engine", "fsdp2"]),
    "FSDP2 x 2": (2, ["--engine", "fsdp2"]),
}


def torchrun(num_ranks: int, module: str, *arguments: str, **env: str) -> subprocess.CompletedProcess:
    """``module`` on spawned ranks of the CPU platform, with its output captured."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={num_ranks}"]
    env = {**os.environ, "VERL_PLATFORM": "cpu", "OMP_NUM_THREADS": "1", **env}
    command += ["-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600)


def train(model: str, out: Path, layout: str, *arguments: str) -> dict:
    """What ``train_ranks.py`` wrote for ``layout``; raises RuntimeError with its output if it failed."""
    num_ranks, parallel = LAYOUTS[layout]
    done = torchrun(num_ranks, "tests.ranks.train_ranks", "--model", model, "--out", str(out), *parallel, *arguments)
    if done.returncode:
        raise RuntimeError(done.stdout[-3000:] + done.stderr[-6000:])
    return torch.load(out, weights_only=False) | {"log": done.stdout + done.stderr}


def train_all(model: str, out: Path, layout: str) -> dict:
    return train(model, out, layout, "--variants", json.dumps(list(VARIANTS)))


@cache
def expected(model: str, variant: str, data_parallel_size: int) -> list:
    """The formula on one process: a list of :class:`reference.Step`, or of gradients where DARO is off."""
    torch.set_num_threads(1)  # one response at a time is too little work for two threads
    batches = VARIANTS[variant].mini_batches(data_parallel_size)
    if not VARIANTS[variant].daro:
        return reference.grpo_gradients(reference.load_model(model), batches)
    token_loss, weighting = getattr(reference, VARIANTS[variant].loss), VARIANTS[variant].weighting
    return reference.train(reference.load_model(model), batches, token_loss, weighting)


@dataclass
class Difference:
    """Largest relative differences from the formula, over the steps of one variant on one layout; NaN if one is."""

    gradient: float
    loss: float = 0.0
    bin_losses: float = 0.0
    tokens: float = 0.0
    weights: float = 0.0

    @property
    def largest(self) -> float:
        return largest(vars(self).values())


def largest(values: Iterable[float]) -> float:
    """The maximum, or NaN if there is one among them (Python's ``max`` would hide it)."""
    return torch.tensor(list(values), dtype=torch.float64).max().item()


def distance(got: dict[str, torch.Tensor], want: dict[str, torch.Tensor]) -> float:
    """``|got - want| / |want|`` over all parameters together."""
    assert got.keys() == want.keys(), got.keys() ^ want.keys()
    difference = sum((got[name].double() - want[name].double()).square().sum() for name in want)
    return (difference / sum(want[name].double().square().sum() for name in want)).sqrt().item()


def distance_of(got: torch.Tensor, want: torch.Tensor) -> float:
    """Of a vector over bins, by its largest entry; where a bin's loss is near 0 its own size says nothing."""
    return ((got.double() - want.double()).abs().max() / want.double().abs().max()).item()


def compare(model: str, result: dict, variant: str) -> Difference:
    """``result`` of :func:`train` against the formula."""
    want, got = expected(model, variant, result["data_parallel_size"]), result["variants"][variant]
    assert len(got["gradients"]) == len(want) >= 3
    if not VARIANTS[variant].daro:
        return Difference(largest(distance(g, w) for g, w in zip(got["gradients"], want, strict=True)))
    rows = [pair for rank in got["ranks"] for pair in metrics_and_steps(rank, want)]
    return Difference(
        gradient=largest(distance(g, w.gradient) for g, w in zip(got["gradients"], want, strict=True)),
        weights=largest(distance for rank in got["ranks"] for distance in weight_distances(rank, want)),
        loss=largest(abs(row["loss"] - step.loss) / step.losses.abs().max().item() for row, step in rows),
        bin_losses=largest(distance_of(row_of_bins(row, "loss"), step.losses) for row, step in rows),
        tokens=largest(distance_of(shares(row_of_bins(row, "token_share")), shares(step.tokens)) for row, step in rows),
    )


def metrics_and_steps(rank: dict, want: list[reference.Step]) -> list[tuple[dict, reference.Step]]:
    """The rank's metrics of each optimizer step beside the formula's; none on a rank that does not compute the loss."""
    metrics = per_update([step["metrics"] for step in rank["steps"] if step["metrics"] is not None])
    return list(zip(metrics, want, strict=True)) if metrics else []


def weight_distances(rank: dict, want: list[reference.Step]) -> list[float]:
    """Of the weights after each call of the worker: after every optimizer step or, with ``updates``, after all."""
    steps_per_call = len(want) // len(rank["steps"])
    reached = want[steps_per_call - 1 :: steps_per_call]
    return [distance_of(a["weights"], b.weights_after) for a, b in zip(rank["steps"], reached, strict=True)]


def shares(tokens: torch.Tensor) -> torch.Tensor:
    """Of the tokens of bins 1 .. G-1; the logged shares are of all tokens, bins 0 and G included."""
    return tokens / tokens.sum()


def per_update(metrics: list[dict]) -> list[dict]:
    """verl's metrics of one call as a list over its optimizer steps."""
    if not metrics or not isinstance(metrics[0]["daro/objective"], list):
        return metrics
    (call,) = metrics
    return [
        {name: value[i] for name, value in call.items() if isinstance(value, list) and len(value) > i}
        for i in range(len(call["daro/objective"]))
    ]


def row_of_bins(metrics: dict, name: str) -> torch.Tensor:
    return torch.tensor([metrics[f"daro/{name}/{k}of{NUM_ROLLOUTS}"] for k in range(1, NUM_ROLLOUTS)])
