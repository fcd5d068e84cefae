"""DARO in verl's core (``upstream/daro_in_core``) trains as the plugin does, on two data-parallel Megatron ranks."""

import os
from pathlib import Path

import pytest
import torch
import verl

from tests.ranks.matrix import ROOT, distance, distance_of, torchrun
from upstream.contribution import contributions
from upstream.copies import Copy

pytestmark = pytest.mark.slow
BOUND = 1e-6  # relative, in float32


def patched_verl(folder: Path) -> Path:
    """A copy of the installed verl with the contribution: a folder for ``PYTHONPATH``."""
    copy, (contribution,) = Copy.of_package(Path(verl.__path__[0]), folder), contributions(["daro_in_core"])
    copy.add_new_files(contribution)
    assert copy.apply(contribution) == ""
    return copy.root


@pytest.fixture(scope="module")
def trained(model, tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("core")
    env = {
        "PYTHONPATH": os.pathsep.join([str(patched_verl(folder)), str(ROOT)]),
        "VERL_USE_EXTERNAL_PLUGINS": "none",
        "VERL_USE_EXTERNAL_MODULES": "tests.ranks.platform_only",
    }
    out = folder / "out.pt"
    done = torchrun(2, "tests.ranks.train_core", "--model", model, "--out", str(out), **env)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return torch.load(out, weights_only=False)


@pytest.mark.parametrize("form", ["default", "paper"])
def test_losses_gradients_and_weights_equal_the_plugins(form, trained):
    core, plugin = trained[form, "core"], trained[form, "plugin"]
    assert len(core["gradients"]) == len(plugin["gradients"]) == 3
    for got, want in zip(core["gradients"], plugin["gradients"], strict=True):
        assert sum(value.norm() for value in want.values()) > 1e-3
        assert distance(got, want) <= BOUND
    for got, want in zip(core["steps"], plugin["steps"], strict=True):
        assert abs(got["loss"] - want["loss"]) <= BOUND * want["bin losses"].abs().max()
        assert distance_of(got["bin losses"], want["bin losses"]) <= BOUND
        assert all(distance_of(weights, want["weights"][0]) <= BOUND for weights in got["weights"])
        assert torch.equal(got["weights"][0], got["weights"][1])  # to the last bit on both ranks
    assert len(set(core["steps"][-1]["weights"][0].tolist())) > 1
