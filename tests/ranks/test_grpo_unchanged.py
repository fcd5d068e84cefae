"""A job that does not ask for DARO trains the same, to the last bit, with and without the plugin."""

import pytest
import torch

from tests.ranks.matrix import torchrun

pytestmark = pytest.mark.slow


def test_grpo_is_the_same_to_the_last_bit_with_and_without_the_plugin(model, tmp_path):
    """The same GRPO mini-batches: equal losses, gradient norms and trained weights. Without the plugin, verl's plugin
    discovery is off and only the CPU platform is loaded."""
    without = {"VERL_USE_EXTERNAL_PLUGINS": "none", "VERL_USE_EXTERNAL_MODULES": "tests.ranks.platform_only"}
    runs = {}
    for name, env in {"with": {}, "without": without}.items():
        done = torchrun(1, "tests.ranks.train_grpo", "--model", model, "--out", str(tmp_path / name), **env)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        runs[name] = torch.load(tmp_path / name, weights_only=False)
    assert (runs["with"]["plugin"], runs["without"]["plugin"]) == (True, False)
    assert runs["with"]["steps"] == runs["without"]["steps"]
    assert len(runs["with"]["steps"]) == 3 and runs["with"]["steps"][0]["grad_norm"] > 0
    for name, weight in runs["without"]["weights"].items():
        assert torch.equal(weight, runs["with"]["weights"][name]), name
