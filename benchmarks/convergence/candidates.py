"""Learned weightings that were tried beside the package's own; each is a weighting of its own, found by import path.

On policy ``L_k = mu (1 - mu) g_k`` with ``g_k = (len_wrong - len_right) / len_mean``, the relative gap in length of the
bin (paper, Theorem 1). So DARO's ``w_k = 1 / L_k`` is a fixed shape, ``1 / (mu (1 - mu))``, over the gap. All forms
here keep that: ``w_k = shape_k r_k``, where the factor ``r_k`` follows the gap within bounds and starts at 1. They
differ in the shape, and in how fast and how far the factor follows. Where no bin has a gap, all factors lie at the same
bound, and the shape is left. ``D`` = all response tokens.

In the objective the shape is the bin's part of the logarithm: ``w_k L_k - nu_k ln w_k`` has its minimum at
``w_k = nu_k / L_k``, where the bin contributes ``nu_k``; ``shape_k = nu_k / (mu (1 - mu))``. In the paper ``nu_k = 1``.
"""

import math
from types import MappingProxyType
from typing import Any, ClassVar

import torch

from daro_verl.advantage.weighting import LITERAL, Weighting
from daro_verl.objective import GradientRule


class FollowsGap(GradientRule):
    """Adam on ``ln r_k``: the gradient of ``r g - ln r`` is ``r g - 1`` (``power`` 1), of ``r^2 g / 2 - ln r`` it is
    ``r^2 g - 1`` (``power`` 1/2). The minimum is ``r = g^-power``.
    """

    power: ClassVar[float] = 1.0
    bound: ClassVar[float] = 3.0  # 1 / bound <= r <= bound

    def __init__(self, log_weights: torch.Tensor, options: Any) -> None:
        super().__init__(log_weights, options)
        self.log_shape = log_weights.clone()

    def gap(self, signal: torch.Tensor) -> torch.Tensor:
        """``g_k`` [G-1] from the losses that move the weights."""
        mu = torch.arange(1, len(signal) + 1).double() / (len(signal) + 1)
        return signal / (mu * (1 - mu))

    def gradient(self, signal: torch.Tensor) -> torch.Tensor:
        log_factor = self.log_weights() - self.log_shape
        return (log_factor / self.power).exp() * self.gap(signal) - 1

    def clamp(self) -> None:
        limit = math.log(self.bound)
        with torch.no_grad():
            for parameter, start in zip(self.parameters, self.log_shape, strict=True):
                parameter.clamp_(start - limit, start + limit)


class FollowsRootOfGap(FollowsGap):
    """``r`` goes to ``1 / sqrt(g)``."""

    power, bound = 0.5, 2.0


class IsRootOfGap(FollowsRootOfGap):
    """The same without descent: ``r = 1 / sqrt(g)`` after every step."""

    def update(self, signal: torch.Tensor, present: torch.Tensor, first: torch.Tensor) -> None:
        gap = self.gap(signal).clamp(self.bound**-2, self.bound**2)
        self.set((self.log_shape - self.power * gap.log()).exp(), present)


class FollowsGapFar(FollowsGap):
    """With bounds that do not bind at gaps of 0.05 and more."""

    bound = 20.0


class Leaning(Weighting):
    """``w_k`` minimises ``w_k L_k - nu_k ln w_k`` with ``nu_k = sqrt(mu) (1 - mu)``: F-GRPO's shape, ``mu^-1/2``."""

    rule = FollowsGap
    normaliser = "all_tokens"
    defaults = MappingProxyType({**LITERAL, "loss_signal": "average"})

    def bin_weights(self, pass_rate: torch.Tensor) -> torch.Tensor:
        return pass_rate**-0.5


class LeaningByRoot(Leaning):
    """``w_k`` minimises ``w_k^2 L_k / 2 - (1 - mu) ln w_k``, so it goes to ``sqrt((1 - mu) / L_k)``."""

    rule = FollowsRootOfGap


class LeaningByRootAtOnce(Leaning):
    """The same without descent."""

    rule = IsRootOfGap


class OverGRPO(Leaning):
    """GRPO's shape, ``1 / sqrt(mu (1 - mu))``: ``nu_k = sqrt(mu (1 - mu))``."""

    def bin_weights(self, pass_rate: torch.Tensor) -> torch.Tensor:
        return (pass_rate * (1 - pass_rate)) ** -0.5


class OverGRPOByRoot(OverGRPO):
    """``w_k`` goes to ``1 / sqrt(L_k)``."""

    rule = FollowsRootOfGap


class OverMaxRLByRoot(Leaning):
    """MaxRL's shape, ``1 / mu``."""

    rule = FollowsRootOfGap

    def bin_weights(self, pass_rate: torch.Tensor) -> torch.Tensor:
        return 1 / pass_rate


class ScaleFree(Leaning):
    """The paper's ``nu_k = 1``, a bin by its share of the tokens, without a bound that binds."""

    rule = FollowsGapFar

    def bin_weights(self, pass_rate: torch.Tensor) -> torch.Tensor:
        return 1 / (pass_rate * (1 - pass_rate))
