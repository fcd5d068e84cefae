"""Each weighting has the loss and the model's gradient of verl's own method, on two data-parallel Megatron ranks."""

import pytest
import torch

from tests.ranks.matrix import distance, torchrun
from tests.ranks.train_weightings import METHODS

pytestmark = pytest.mark.slow
BOUND = 1e-6  # relative, in float32


@pytest.fixture(scope="module")
def trained(model, tmp_path_factory) -> dict:
    out = tmp_path_factory.mktemp("weightings") / "out.pt"
    done = torchrun(2, "tests.ranks.train_weightings", "--model", model, "--out", str(out))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return torch.load(out, weights_only=False)


@pytest.mark.parametrize("method", METHODS)
def test_loss_and_gradient_are_those_of_the_method(method, trained):
    want, got = trained[method]["verl"], trained[method]["weighting"]
    assert sum(value.norm() for value in want["gradient"].values()) > 1e-3
    assert distance(got["gradient"], want["gradient"]) <= BOUND
    # Relative to what is added up: right and wrong responses nearly cancel (tests/unit/test_weightings.py).
    size = trained[method]["size of the loss"]
    assert size > 0.1 and abs(got["loss"] - want["loss"]) <= BOUND * size


def test_rewards_on_any_scale_train_the_same(trained):
    """{0, 1}, {0, 0.1} and {10, 100}: the same gradients, losses and weights to the last bit."""
    usual, *others = trained["scales"]
    assert (usual["losses"] > 0).all() and not torch.equal(usual["weights"], torch.ones(3).double())
    for other in others:
        assert torch.equal(other["weights"], usual["weights"]) and torch.equal(other["losses"], usual["losses"])
        for one, same in zip(other["steps"], usual["steps"], strict=True):
            assert one["loss"] == same["loss"]
            assert sum(value.norm() for value in same["gradient"].values()) > 1e-3
            assert all(torch.equal(one["gradient"][name], value) for name, value in same["gradient"].items())


def test_the_methods_differ(trained):
    """Else the comparison above would say nothing; GRPO and DAPO differ by the upper clip alone."""
    grpo = trained["grpo"]["weighting"]["gradient"]
    assert all(distance(trained[name]["weighting"]["gradient"], grpo) > 1e-3 for name in ("dapo", "dr_grpo", "lipo"))
