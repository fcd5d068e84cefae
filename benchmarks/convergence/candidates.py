"""Learned forms that were tried beside ``weighting=learned``. Each is a weighting of its own, found by import path.

On policy ``L_k = mu (1 - mu) g_k`` with ``g_k = (len_wrong - len_right) / len_mean``, the bin's relative gap in length
(paper, Theorem 1). So DARO's ``w_k = 1 / L_k`` is a fixed shape, ``1 / (mu (1 - mu))``, divided by the gap. All forms
here have ``w_k = shape_k r_k``. The factor ``r_k`` follows the gap within bounds and starts at 1. The forms differ in
the shape, and in how fast and how far the factor follows. If no bin has a gap, all factors lie at the same bound, and
only the shape is left. ``D`` = all response tokens. The shape decides what a bin contributes at the minimum of the
objective, ``nu_k = shape_k mu (1 - mu)``. In the paper ``nu_k = 1``.
"""

from types import MappingProxyType

import torch

from daro_verl.advantage import Learned
from daro_verl.objective import GradientRule, LearningRule


class ByRoot(GradientRule):
    """Descends ``w_k^2 L_k / (2 shape_k) - nu_k ln w_k``: ``r`` goes to ``1 / sqrt(g)``."""

    def update(self, signal: torch.Tensor, present: torch.Tensor) -> None:
        super().update(signal * self.log_weights().exp() / self.start, present)


class RootAtOnce(LearningRule):
    """The same without descent."""

    def update(self, signal: torch.Tensor, present: torch.Tensor) -> None:
        low, high = self.bounds()
        root = (self.start * self.contributions / signal.clamp(min=1e-9)).sqrt()
        self.set(root.clamp(low, high), present)


class LeaningByRoot(Learned):
    """``w_k`` goes to ``sqrt((1 - mu) / L_k)``."""

    rule = ByRoot
    defaults = MappingProxyType({**Learned.defaults, "weight_min": 0.5, "weight_max": 2.0})


class LeaningByRootAtOnce(LeaningByRoot):
    """The same without descent."""

    rule = RootAtOnce


class OverGRPO(Learned):
    """GRPO's shape, ``1 / sqrt(mu (1 - mu))``."""

    def bin_weights(self, pass_rate: torch.Tensor) -> torch.Tensor:
        return (pass_rate * (1 - pass_rate)) ** -0.5

    def contributions(self, pass_rate: torch.Tensor) -> torch.Tensor:
        return self.bin_weights(pass_rate) * pass_rate * (1 - pass_rate)


class OverGRPOByRoot(OverGRPO):
    """``w_k`` goes to ``1 / sqrt(L_k)``."""

    rule, defaults = ByRoot, LeaningByRoot.defaults


class OverMaxRLByRoot(OverGRPOByRoot):
    """MaxRL's shape, ``1 / mu``."""

    def bin_weights(self, pass_rate: torch.Tensor) -> torch.Tensor:
        return 1 / pass_rate


class ScaleFree(OverGRPO):
    """The paper's ``nu_k = 1``, a bin by its share of the tokens, with bounds that do not bind."""

    defaults = MappingProxyType({**Learned.defaults, "weight_min": 0.05, "weight_max": 20.0})

    def bin_weights(self, pass_rate: torch.Tensor) -> torch.Tensor:
        return 1 / (pass_rate * (1 - pass_rate))
