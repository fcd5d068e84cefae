"""The records of a run, and its result file."""

import json
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.convergence.evaluation import Sampled
from benchmarks.convergence.rollout import Rollout
from benchmarks.convergence.update import PER_BIN, per_bin

PER_STEP = {
    "grad_norm": "grad_norm",
    "clip_fraction": "clip_fraction",
    "loss_share_ratio": "daro/loss_share_ratio",
}
"""Metrics of an optimizer step that are one number: name here, name in the package."""


class Recorder:
    """Rows of figures, by name. ``eval/*`` has a row per evaluation, ``step/*`` per optimizer step.

    Where the training set is finite, ``round/*`` has one per round, and ``group/*`` one per group that was generated,
    those thrown away included.
    """

    def __init__(self) -> None:
        self._rows: dict[str, list[Any]] = defaultdict(list)

    def evaluation(self, num_rounds: int, num_generated: int, num_tokens: int, sampled: Sampled) -> None:
        """After ``num_rounds`` rounds and ``num_generated`` responses of ``num_tokens`` generated for training."""
        row = {"round": num_rounds, "num_generated": num_generated, "num_tokens": num_tokens, **sampled.figures()}
        row["pass_rate_of_problem"] = sampled.right.double().mean(dim=1).tolist()
        self._add("eval", row | {"prompts_in_bin": sampled.prompts_in_bin()})

    def optimizer_step(self, metrics: Mapping[str, float], mini_batch: Rollout) -> None:
        """:data:`PER_BIN` for bins 1 .. G-1 (NaN where absent), prompts per bin 0 .. G, and single numbers."""
        group_size = mini_batch.rewards.shape[1]
        row: dict[str, Any] = {name: metrics.get(key, np.nan) for name, key in PER_STEP.items()}
        row |= {name: per_bin(metrics, name, group_size) for name in PER_BIN}
        row["num_tokens"] = mini_batch.mask.sum().item()
        row["prompts_in_bin"] = np.bincount(mini_batch.successes(), minlength=group_size + 1)
        self._add("step", row)

    def groups(self, num_rounds: int, chosen: Mapping[str, np.ndarray], successes: np.ndarray) -> None:
        """The groups of one batch in round ``num_rounds``, with what was known of their prompts before."""
        for at, number in enumerate(successes):
            row = {name: column[at] for name, column in chosen.items()}
            self._add("group", row | {"round": num_rounds, "successes": number})

    def rollout(self, num_left_out: int) -> None:
        """A round has been generated; ``num_left_out`` prompts were left out so far."""
        self._add("round", {"left_out": num_left_out})

    def arrays(self) -> dict[str, np.ndarray]:
        """Each figure's rows as one array; floats in single precision."""
        arrays = {name: np.array(rows) for name, rows in self._rows.items()}
        return {name: array.astype(np.float32) if array.dtype == float else array for name, array in arrays.items()}

    def _add(self, kind: str, row: Mapping[str, Any]) -> None:
        for name, value in row.items():
            self._rows[f"{kind}/{name}"].append(value)


def save(path: Path, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> None:
    """Write a result; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with partial.open("wb") as file:
        np.savez_compressed(file, about=np.array(json.dumps(about)), **arrays)
    partial.rename(path)


def load(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and what is said about them."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    return arrays, json.loads(str(arrays.pop("about")))
