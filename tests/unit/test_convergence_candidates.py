"""The learned forms under study, in closed form, through the package's own weights."""

import pytest
import torch

from benchmarks.convergence.alignment import alignment
from benchmarks.convergence.methods import VARIANTS
from daro_verl.workers.difficulty_weights import DifficultyWeights

G = 8
MU = torch.arange(1, G).double() / G
GAP = torch.linspace(0.6, 2.0, G - 1).double()
EVERY = torch.ones(G - 1, dtype=torch.bool)


def weights_of(cls: str) -> DifficultyWeights:
    return DifficultyWeights(G, {"weighting": f"benchmarks.convergence.candidates.{cls}"})


@pytest.mark.parametrize(
    ("cls", "shape", "power"),
    [
        ("LeaningByRoot", MU**-0.5, 0.5),
        ("LeaningByRootAtOnce", MU**-0.5, 0.5),
        ("OverGRPO", (MU * (1 - MU)) ** -0.5, 1.0),
        ("OverMaxRLByRoot", 1 / MU, 0.5),
        ("ScaleFree", 1 / (MU * (1 - MU)), 1.0),
    ],
)
def test_weights_start_at_their_shape_and_go_to_the_minimiser(cls, shape, power):
    """With ``L = mu (1 - mu) g`` the minimum is ``shape / g^power``: for ``ScaleFree`` that is ``1 / L``."""
    weights = weights_of(cls)
    torch.testing.assert_close(weights.weights(), shape)
    for _ in range(400):
        weights.step(MU * (1 - MU) * GAP, EVERY)
    torch.testing.assert_close(weights.weights(), shape / GAP**power, rtol=1e-3, atol=0)


@pytest.mark.parametrize(("cls", "bound"), [("LeaningByRoot", 2.0), ("LeaningByRootAtOnce", 2.0), ("ScaleFree", 20.0)])
def test_without_a_gap_all_weights_lie_at_one_bound_and_the_shape_is_left(cls, bound):
    weights = weights_of(cls)
    start = weights.weights()
    for _ in range(400):
        weights.step(-0.01 * torch.ones(G - 1).double(), EVERY)
    torch.testing.assert_close(weights.weights(), bound * start)


def test_an_absent_bin_keeps_its_weight():
    weights, present = weights_of("LeaningByRoot"), torch.arange(G - 1) != 2
    for _ in range(20):
        weights.step(MU * (1 - MU) * GAP, present)
    assert weights.weights()[2] == pytest.approx(MU[2].item() ** -0.5)
    assert (weights.weights()[present] != MU[present] ** -0.5).all()


def test_all_of_them_are_weightings_that_the_package_takes():
    for method in VARIANTS:
        weights = DifficultyWeights(G, dict(method.options))
        assert weights.learns and torch.isfinite(weights.weights()).all()


def test_alignment_with_the_other_bins():
    """g = (1, 0), (3, 4), absent, (0, 1): with the others' sums (3, 5), (1, 1), (4, 4) the cosines are 3 / sqrt(34) =
    .51450, 7 / (5 sqrt 2) = .98995 and 1 / sqrt 2 = .70711; their mean .73719 is taken off.
    """
    gradients = torch.tensor([[1.0, 0.0], [3.0, 4.0], [0.0, 0.0], [0.0, 1.0]]).double()
    moves = alignment(gradients, torch.tensor([True, True, False, True]))
    torch.testing.assert_close(moves, torch.tensor([-0.22268, 0.25276, 0.0, -0.03008]).double(), atol=1e-5, rtol=0)
