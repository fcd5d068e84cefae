"""The actor's update with the quickstart's model and batch shape: GRPO's and DARO's in turn on one engine.

Two Megatron-core ranks (TP = 2), 160 responses of up to 48 tokens, one optimizer step in one micro-batch and in four.
The time is that of the worker's ``train_batch``, including making the batch's tensors, until all ranks are done.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.cost.aims import Aim, largest_ratio
from benchmarks.cost.timing import compare, milliseconds
from tests.ranks import matrix

TITLE = "Actor update"
MICRO_BATCHES = (1, 4)
ROUNDS = 30


def run() -> list[dict[str, Any]]:
    return [measure(2, "--tp", "2", "--micro-batches", str(n), "--rounds", str(ROUNDS)) for n in MICRO_BATCHES]


def measure(num_ranks: int, *arguments: str, **env: str) -> dict[str, Any]:
    """One row from a run of ``update_ranks``, with the arguments that it had."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        done = matrix.torchrun(num_ranks, "benchmarks.cost.update_ranks", "--out", str(out), *arguments, **env)
        if done.returncode:
            raise RuntimeError(done.stdout[-3000:] + done.stderr[-6000:])
        result = json.loads(out.read_text())
    seconds = result["seconds"]
    row = {"arguments": " ".join(arguments), "responses": result["responses"], **milliseconds(seconds)}
    return row | compare(seconds, "daro", "grpo")


def aims(rows: list[dict[str, Any]]) -> list[Aim]:
    return [largest_ratio("actor update / GRPO's, largest ratio", rows, 1.01)]
