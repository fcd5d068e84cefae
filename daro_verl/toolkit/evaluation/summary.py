"""The figures of a run, from its rows: per benchmark, and their average. Pure functions.

All uncertainty is over problems, never over responses. The responses to one problem are not independent draws of the
question "how good is this model": a benchmark of 30 problems with 32 responses each has 30 independent observations,
not 960.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from daro_verl.toolkit.evaluation.row_file import LENGTH, NO_ROOM, Row

Z_95 = 1.959964  # the normal distribution's 97.5 % point


class MeanWithError(NamedTuple):
    """A mean and its standard error; NaN where there is no telling (one problem)."""

    mean: float
    se: float

    def interval(self) -> tuple[float, float]:
        """95 %, normal: ``mean -+ 1.96 se``. With 30 problems Student's t would make it 4 % wider."""
        return self.mean - Z_95 * self.se, self.mean + Z_95 * self.se


def mean_over_problems(rates: Sequence[float]) -> MeanWithError:
    """Mean of the problems' pass rates, and its standard error ``s / sqrt(P)``.

    ``s`` is the standard deviation of the ``P`` rates, with the denominator ``P - 1``. It holds both that problems
    differ and that a problem's rate is from ``k`` responses only.
    """
    values = np.asarray(rates, dtype=float)
    se = float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return MeanWithError(float(values.mean()), se)


def macro_average(estimates: Sequence[MeanWithError]) -> MeanWithError:
    """Plain mean over benchmarks, whatever their sizes: ``sum m_b / B``, with the standard error
    ``sqrt(sum se_b^2) / B`` of independent benchmarks.
    """
    count = len(estimates)
    mean = sum(estimate.mean for estimate in estimates) / count
    return MeanWithError(mean, math.sqrt(sum(estimate.se**2 for estimate in estimates)) / count)


def paired_difference(first: Sequence[float], second: Sequence[float]) -> MeanWithError:
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


@dataclass(frozen=True)
class Benchmark:
    """One benchmark's figures. Shares are between 0 and 1."""

    name: str
    num_problems: int
    num_responses: int
    """``k``: per problem."""
    mean: MeanWithError
    """mean@k: mean over problems of the share of right responses (a timeout counts as not right)."""
    best: float
    """best@k: share of problems with at least one right response."""
    majority: float
    """maj@k: mean over problems of :func:`majority`."""
    truncated: float
    """Share of all responses that ended because no tokens were left."""
    timeouts: int
    """Responses whose answer could not be decided. mean@k is at most ``timeouts / (P k)`` too low for them."""
    no_room: int
    """Problems whose prompt left no token for a response; all their responses count as wrong."""
    mean_length: float
    """Mean over all generated responses, in tokens; NaN without any."""


@dataclass(frozen=True)
class Summary:
    """``average``: of the benchmarks' mean@k, each benchmark counts the same."""

    benchmarks: tuple[Benchmark, ...]
    average: MeanWithError


def summarise(rows: Iterable[Row]) -> Summary:
    """The figures of finished rows, benchmarks in the order of their first row."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.benchmark, []).append(row)
    benchmarks = tuple(_benchmark(name, group) for name, group in grouped.items())
    return Summary(benchmarks, macro_average([benchmark.mean for benchmark in benchmarks]))


def pass_rate(row: Row) -> float:
    """Share of right responses."""
    return sum(response.acc for response in row.responses) / len(row.responses)


def _benchmark(name: str, rows: Sequence[Row]) -> Benchmark:
    responses = [response for row in rows for response in row.responses]
    lengths = [response.length for response in responses if response.finish != NO_ROOM]
    votes = [
        majority(*zip(*((response.pred, response.acc, response.timed_out) for response in row.responses), strict=True))
        for row in rows
    ]
    return Benchmark(
        name=name,
        num_problems=len(rows),
        num_responses=len(rows[0].responses),
        mean=mean_over_problems([pass_rate(row) for row in rows]),
        best=sum(any(response.acc for response in row.responses) for row in rows) / len(rows),
        majority=sum(votes) / len(votes),
        truncated=sum(response.finish == LENGTH for response in responses) / len(responses),
        timeouts=sum(response.timed_out for response in responses),
        no_room=sum(row.responses[0].finish == NO_ROOM for row in rows),
        mean_length=sum(lengths) / len(lengths) if lengths else float("nan"),
    )
