"""Averages and counts of each bin's loss over the optimizer steps so far."""

from collections.abc import Mapping
from typing import Any

import torch

MOMENTS_DECAY = 0.98
"""Decay of the mean and the mean square of ``L_k``, which give its signal-to-noise: about 50 updates (ours)."""


class LossHistory:
    """Moving averages of ``L_k`` and counts, each [G-1] float64. An absent bin keeps its values.

    Averages start from zero. The methods that read them correct the bias, as Adam does.

    Attributes:
        num_updates: how often each bin was present with a finite loss.
        num_not_positive: how often it had ``L_k <= 0``.
    """

    def __init__(self, num_bins: int, decay: float) -> None:
        """Start without a loss for ``num_bins`` bins. ``decay`` is ``loss_ema_decay``."""
        self.decay = decay
        self.num_updates, self.num_not_positive, self._average, self._mean, self._square = torch.zeros(
            5, num_bins, dtype=torch.float64
        )

    def follow(self, losses: torch.Tensor, present: torch.Tensor) -> None:
        """Add the losses [G-1] of one mini-batch, for the bins present."""

        def moved(average: torch.Tensor, values: torch.Tensor, decay: float) -> torch.Tensor:
            return torch.where(present, decay * average + (1 - decay) * values, average)

        self.num_updates = self.num_updates + present
        self.num_not_positive = self.num_not_positive + (present & (losses <= 0))
        self._average = moved(self._average, losses, self.decay)
        self._mean = moved(self._mean, losses, MOMENTS_DECAY)
        self._square = moved(self._square, losses**2, MOMENTS_DECAY)

    def average(self) -> torch.Tensor:
        """Bias-corrected moving average of ``L_k``, [G-1]; NaN for a bin that was never present."""
        return self._average / (1 - self.decay**self.num_updates)

    def signal_to_noise(self) -> torch.Tensor:
        """Mean over deviation of ``L_k``, [G-1], over about the last 50 updates of the bin; NaN before its second.

        Below about 1, the sign of a single ``L_k`` says little, and so does a weight that follows it.
        """
        bias = 1 - MOMENTS_DECAY**self.num_updates
        mean, square = self._mean / bias, self._square / bias
        ratio = mean / (square - mean**2).clamp(min=1e-24).sqrt()
        return torch.where(self.num_updates > 1, ratio, torch.nan)

    def state(self) -> dict[str, torch.Tensor]:
        """Everything, for :meth:`load`."""
        return {
            "num_updates": self.num_updates.clone(),
            "num_not_positive": self.num_not_positive.clone(),
            "loss_average": self._average.clone(),
            "loss_mean": self._mean.clone(),
            "loss_square": self._square.clone(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Continue from a saved :meth:`state`. An average with another decay keeps its value."""
        self.num_updates, self.num_not_positive = state["num_updates"].clone(), state["num_not_positive"].clone()
        self._average, self._mean, self._square = (
            state[name].clone() for name in ("loss_average", "loss_mean", "loss_square")
        )
        if (saved := state["loss_ema_decay"]) != self.decay:
            known = self.num_updates > 0
            bias = (1 - self.decay**self.num_updates) / (1 - saved**self.num_updates)
            self._average = torch.where(known, self._average * bias, self._average)
