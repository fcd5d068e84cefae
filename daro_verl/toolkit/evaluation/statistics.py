"""Figures from pass rates. Pure functions; all uncertainty is over problems, never over responses.

The responses to one problem are not independent draws of the question "how good is this model": a benchmark of 30
problems with 32 responses each has 30 independent observations, not 960.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Z_95 = 1.959964  # the normal distribution's 97.5 % point


class Estimate(NamedTuple):
    """A mean and its standard error; NaN where there is no telling (one problem)."""

    mean: float
    se: float

    def interval(self) -> tuple[float, float]:
        """95 %, normal: ``mean -+ 1.96 se``. With 30 problems Student's t would make it 4 % wider."""
        return self.mean - Z_95 * self.se, self.mean + Z_95 * self.se


def mean_over_problems(rates: Sequence[float]) -> Estimate:
    """Mean of the problems' pass rates, and its standard error ``s / sqrt(P)``.

    ``s`` is the standard deviation of the ``P`` rates, with the denominator ``P - 1``. It holds both that problems
    differ and that a problem's rate is from ``k`` responses only.
    """
    values = np.asarray(rates, dtype=float)
    se = float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Estimate(float(values.mean()), se)


def macro_average(estimates: Sequence[Estimate]) -> Estimate:
    """Plain mean over benchmarks, whatever their sizes: ``sum m_b / B``, with the standard error
    ``sqrt(sum se_b^2) / B`` of independent benchmarks.
    """
    count = len(estimates)
    mean = sum(estimate.mean for estimate in estimates) / count
    return Estimate(mean, math.sqrt(sum(estimate.se**2 for estimate in estimates)) / count)


def paired_difference(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """Mean over problems of ``second - first``, each problem with itself, so that hard and easy problems cancel out."""
    return mean_over_problems([b - a for a, b in zip(first, second, strict=True)])


def majority(predictions: Sequence[str], right: Sequence[float], undecided: Sequence[bool]) -> float:
    """Whether the answer that most responses give is right.

    One answer is one normalised text with one verdict: the texts are without units, so ``5 cm`` and ``5`` vote together
    where both are right, and a wrong ``5 km``, whose text is ``5`` too, votes apart from them. An undecided response
    votes with the right ones of its text, if there are any. Responses without an answer do not vote; without any vote
    the problem is wrong. Where several answers have the most votes, the result is the share of them that is right: what
    drawing one of them gives on average, without depending on the order of the responses.
    """
    responses = list(zip(predictions, right, undecided, strict=True))
    known_right = {text for text, acc, _ in responses if acc}
    votes = Counter((text, float(text in known_right) if unknown else acc) for text, acc, unknown in responses if text)
    if not votes:
        return 0.0
    most = max(votes.values())
    winners = [acc for (_, acc), count in votes.items() if count == most]
    return sum(winners) / len(winners)
