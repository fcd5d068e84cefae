"""The model that all ranks train, and one start of the ranks for all that is asserted of a layout."""

import json
import os
from functools import cache
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from tests.ranks import matrix
from tests.ranks.variants import NOT_FINITE, TESTED

SAVING = ("Megatron TP2", "FSDP2 x 2")
RESUMING = ("Megatron DP1", "Megatron DP2", "Megatron PP2")
"""Layouts that resume the checkpoint of Megatron TP2."""


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> str:
    from tests.platform.tiny_model import build

    return str(build(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """What the ranks wrote; the processes of ``pytest -n 2`` share it."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "ranks"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def saved(folder):
    """``saved(layout)``: the folder of its checkpoint after two of the three mini-batches."""
    return lambda layout: folder / layout.replace(" ", "_") / "global_step_2" / "actor"


@pytest.fixture(scope="session")
def train_all(model, folder, saved):
    """``train_all(layout)``: the variants, those with a NaN and a resume, where this layout has them."""

    def start(layout: str, out: Path) -> None:
        variants, more = list(TESTED), []
        if layout in SAVING:
            variants, more = [*variants, *NOT_FINITE], ["--save", str(saved(layout))]
        elif layout in RESUMING:
            train_all("Megatron TP2")
            more = ["--resume", str(saved("Megatron TP2"))]
        try:
            result = matrix.train(model, out, layout, "--variants", json.dumps(variants), *more)
            torch.save(result, out)
        except RuntimeError as error:  # once: the next test shall not start the ranks again
            out.with_suffix(".failed").write_text(str(error))

    @cache
    def train_all(layout: str) -> dict:
        out = folder / f"{layout.replace(' ', '_')}.pt"
        failed = out.with_suffix(".failed")
        with FileLock(out.with_suffix(".lock")):
            if not out.exists() and not failed.exists():
                start(layout, out)
        if failed.exists():
            pytest.fail(failed.read_text())
        return torch.load(out, weights_only=False)

    return train_all
