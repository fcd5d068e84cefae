"""Figures of one run's learning curve, and of several seeds. Pure functions on arrays."""

import math
from dataclasses import dataclass

import numpy as np

from daro_verl.toolkit.evaluation.estimates import student_quantile


def auc(pass_rate: np.ndarray) -> float:
    """The primary measure: mean of the evaluations, the one before training included."""
    return float(pass_rate.mean())


def auc_up_to(
    num_generated: np.ndarray, pass_rate: np.ndarray, limit: float, places: np.ndarray | None = None
) -> float:
    """Mean pass rate over generated responses from 0 to ``limit``, straight between ``places`` (the evaluations).

    Two methods that generate different numbers of responses per round compare at the smaller total.
    """
    places = num_generated if places is None else places
    places = np.append(places[places < limit], limit).astype(float)
    return float(np.trapezoid(np.interp(places, num_generated, pass_rate), places) / limit)


def first_reached(places: np.ndarray, pass_rate: np.ndarray, target: float) -> float:
    """Where the curve, straight between evaluations, first reaches ``target``; infinity if it never does.

    Args:
        places: rounds or generated responses at the evaluations.
    """
    at = int(np.argmax(pass_rate >= target))
    if pass_rate[at] < target:
        return math.inf
    if at == 0:
        return float(places[0])
    share = (target - pass_rate[at - 1]) / (pass_rate[at] - pass_rate[at - 1])
    return float(places[at - 1] + share * (places[at] - places[at - 1]))


def share_not_positive(bin_losses: np.ndarray) -> float:
    """Share of ``L_k <= 0`` among the bins present, over all optimizer steps.

    Args:
        bin_losses: [steps, G-1], NaN where the bin is absent.
    """
    present = np.isfinite(bin_losses)
    return float((bin_losses[present] <= 0).mean()) if present.any() else math.nan


@dataclass(frozen=True)
class Estimate:
    """Mean over seeds with its standard error, ``std / sqrt(n)`` with ``n - 1`` in the variance; NaN for one seed."""

    mean: float
    error: float
    num_seeds: int

    @classmethod
    def of(cls, values: np.ndarray | list[float]) -> "Estimate":
        values = np.asarray(values, dtype=float)
        error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
        return cls(float(values.mean()), float(error), len(values))

    def show(self, signed: bool = False) -> str:
        """``.812 ± .004``; from one seed, which has no standard error, ``.812 (1 seed)``."""
        mean = f"{self.mean:{'+' if signed else ''}.3f}"
        return f"{mean} (1 seed)" if self.num_seeds == 1 else f"{mean} ± {self.error:.3f}"

    def interval(self, num_comparisons: int = 1) -> tuple[float, float]:
        """Student's interval that covers all of ``num_comparisons`` means at once in 95 % of the cases (Bonferroni)."""
        half = student_quantile(self.num_seeds - 1, 1 - 0.05 / num_comparisons) * self.error
        return self.mean - half, self.mean + half

    def seeds_to_resolve(self, difference: float) -> int:
        """Seeds at which ``difference`` is two standard errors, ``(2 sd / difference)^2``, by this estimate's sd."""
        return math.ceil((2 * self.error * math.sqrt(self.num_seeds) / difference) ** 2)
