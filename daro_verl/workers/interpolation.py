"""A saved state of difficulty weights, carried over to another ``rollout.n``: pure functions, no verl.

Bin ``k`` of ``G`` stands for the pass rate ``k / G``. Everything is interpolated linearly over the pass rate; beyond
the outermost saved bins (pass rates below ``1/G`` and above ``(G-1)/G``) the value of the nearest one holds (ours).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

ADAM_DECAYS = (0.9, 0.999)
"""torch's defaults, which :class:`~daro_verl.workers.difficulty_weights.DifficultyWeights` uses."""
MOMENTS_DECAY = 0.98
"""Of the mean and the mean square of ``L_k``, whose ratio is its signal-to-noise: over about 50 updates (ours)."""


def interpolate_state(state: Mapping[str, Any], num_rollouts: int, loss_ema_decay: float) -> dict[str, Any]:
    """``state`` (of :meth:`DifficultyWeights.state_dict`) as if it had been saved with ``num_rollouts``.

    Log weights are interpolated as they are, so weights geometrically. Counts (updates, Adam's steps) are rounded.
    Adam's moments and the averages of the loss start from zero and are biased towards it by their number of updates:
    their corrected values are interpolated, over the bins that were ever present, and biased again by the new bins'
    counts.
    """

    def along(values: torch.Tensor, known: torch.Tensor | None = None) -> torch.Tensor:
        known = torch.ones_like(values, dtype=torch.bool) if known is None else known
        if not known.any():
            return torch.zeros(num_rollouts - 1, dtype=torch.float64)
        saved = torch.arange(1, len(values) + 1).double() / (len(values) + 1)
        wanted = torch.arange(1, num_rollouts).double() / num_rollouts
        return torch.from_numpy(np.interp(wanted.numpy(), saved[known].numpy(), values[known].numpy()))

    def average(name: str, count: torch.Tensor, new_count: torch.Tensor, decay: float) -> torch.Tensor:
        corrected = state[name] / (1 - decay**count).clamp(min=1e-300)
        return along(corrected, count > 0) * (1 - decay**new_count)

    updates, steps = state["num_updates"], state["adam_step"]
    new_updates, new_steps = along(updates).round(), along(steps).round()
    return {
        **state,
        "num_rollouts": num_rollouts,
        "log_weights": along(state["log_weights"]),
        "adam_step": new_steps,
        "adam_exp_avg": average("adam_exp_avg", steps, new_steps, ADAM_DECAYS[0]),
        "adam_exp_avg_sq": average("adam_exp_avg_sq", steps, new_steps, ADAM_DECAYS[1]),
        "num_updates": new_updates,
        "num_not_positive": along(state["num_not_positive"]).round(),
        "loss_average": average("loss_average", updates, new_updates, loss_ema_decay),
        "loss_mean": average("loss_mean", updates, new_updates, MOMENTS_DECAY),
        "loss_square": average("loss_square", updates, new_updates, MOMENTS_DECAY),
    }
