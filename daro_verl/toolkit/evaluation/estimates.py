"""Means over problems, their standard errors, and Student's intervals. Pure functions.

All uncertainty is over problems, never over responses. The responses to one problem are not independent observations of
how good a model is. A benchmark of 30 problems with 32 responses each has 30 independent observations, not 960.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

LEVEL = 0.95
_MANY = 1000  # more degrees of freedom count as this many, which makes intervals at most 0.12 % too wide


class MeanWithError(NamedTuple):
    """A mean, its standard error, and the degrees of freedom of the error. The last two are NaN for one problem."""

    mean: float
    se: float
    df: float

    def interval(self) -> tuple[float, float]:
        """The 95 % interval ``mean -+ t se``. ``t``: the 97.5 % point of Student's distribution with ``df`` degrees."""
        half = student_quantile(self.df) * self.se if self.se else self.se
        return self.mean - half, self.mean + half


def mean_over_problems(values: Sequence[float]) -> MeanWithError:
    """Mean over ``P`` problems, and its standard error ``s / sqrt(P)`` with ``P - 1`` degrees of freedom.

    ``s`` is the standard deviation of the ``P`` values, with the denominator ``P - 1``. It has two causes: problems
    differ, and a problem's value comes from only a few responses.
    """
    array, count = np.asarray(values, dtype=float), len(values)
    se = float(array.std(ddof=1)) / math.sqrt(count) if count > 1 else math.nan
    return MeanWithError(float(array.mean()), se, count - 1 if count > 1 else math.nan)


def macro_average(estimates: Sequence[MeanWithError]) -> MeanWithError:
    """Plain mean over ``B`` benchmarks, whatever their sizes: ``sum m_b / B``.

    The standard error is ``sqrt(sum v_b) / B`` with ``v_b = se_b^2``, for independent benchmarks. Its degrees of
    freedom are Welch's and Satterthwaite's, ``(sum v_b)^2 / sum (v_b^2 / df_b)``.
    """
    count, variances = len(estimates), [estimate.se**2 for estimate in estimates]
    mean, total = sum(estimate.mean for estimate in estimates) / count, sum(variances)
    spread = sum(variance**2 / estimate.df for variance, estimate in zip(variances, estimates, strict=True))
    df = total**2 / spread if spread else sum(estimate.df for estimate in estimates)
    return MeanWithError(mean, math.sqrt(total) / count, df)


def paired_difference(first: Sequence[float], second: Sequence[float]) -> MeanWithError:
    """Mean over problems of ``second - first``. Each problem is compared with itself, so its difficulty cancels out."""
    return mean_over_problems([b - a for a, b in zip(first, second, strict=True)])


@lru_cache
def student_quantile(df: float, level: float = LEVEL) -> float:
    """``t`` with ``P(|T| > t) = 1 - level`` for Student's distribution with ``df > 0`` degrees of freedom; NaN for NaN.

    ``P(|T| > t) = I_x(df / 2, 1 / 2)``, the regularised incomplete beta function at ``x = df / (df + t^2)``. mpmath
    computes it, and a bisection over ``x`` inverts it.
    """
    import mpmath

    if math.isnan(df):
        return math.nan
    df, low, high = min(df, _MANY), mpmath.mpf(0), mpmath.mpf(1)
    for _ in range(60):
        x = (low + high) / 2
        if mpmath.betainc(df / 2, 0.5, 0, x, regularized=True) < 1 - level:
            low = x
        else:
            high = x
    return float(mpmath.sqrt(df * (1 / low - 1)))
