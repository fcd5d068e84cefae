"""Carry a saved state of difficulty weights over to another ``rollout.n``. Pure functions, no verl.

Bin ``k`` of ``G`` stands for the pass rate ``k / G``. Everything is interpolated linearly over the pass rate. Beyond
the outermost saved bins (pass rates below ``1/G`` and above ``(G-1)/G``), the nearest bin's value holds (ours).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from daro_verl.workers.loss_history import MOMENTS_DECAY

ADAM_DECAYS = {"adam_exp_avg": 0.9, "adam_exp_avg_sq": 0.999}
"""torch's defaults, which :class:`~daro_verl.objective.GradientRule` uses."""

KNOWN = {"log_weights", "num_updates", "num_not_positive", "loss_average", "loss_mean", "loss_square", "adam_step"}
KNOWN |= ADAM_DECAYS.keys()


def interpolate_state(state: Mapping[str, Any], num_rollouts: int) -> dict[str, Any]:
    """``state`` (of :meth:`DifficultyWeights.state_dict`) as if it had been saved with ``num_rollouts``.

    - Log weights are interpolated as they are, so weights change geometrically.
    - Counts (updates, Adam's steps) are rounded.
    - Adam's moments and the averages of the loss start from zero, which biases them by their number of updates. Their
      corrected values are interpolated, over the bins that were ever present. Then they are biased again by the new
      bins' counts.
    - The state of any other rule is interpolated as it is.
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

    updates = state["num_updates"]
    new_updates = along(updates).round()
    new = {
        **state,
        "num_rollouts": num_rollouts,
        "log_weights": along(state["log_weights"]),
        "num_updates": new_updates,
        "num_not_positive": along(state["num_not_positive"]).round(),
        "loss_average": average("loss_average", updates, new_updates, state["loss_ema_decay"]),
        "loss_mean": average("loss_mean", updates, new_updates, MOMENTS_DECAY),
        "loss_square": average("loss_square", updates, new_updates, MOMENTS_DECAY),
    }
    if "adam_step" in state:
        steps = state["adam_step"]
        new["adam_step"] = along(steps).round()
        new |= {name: average(name, steps, new["adam_step"], decay) for name, decay in ADAM_DECAYS.items()}
    of_other_rules = [name for name, value in state.items() if isinstance(value, torch.Tensor) and name not in KNOWN]
    return new | {name: along(state[name]) for name in of_other_rules}
