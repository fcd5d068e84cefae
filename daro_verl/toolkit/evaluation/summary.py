"""The figures of one run: per benchmark, and their average."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from daro_verl.toolkit.evaluation.records import LENGTH, NO_ROOM, Row
from daro_verl.toolkit.evaluation.statistics import Estimate, macro_average, majority, mean_over_problems


@dataclass(frozen=True)
class Benchmark:
    """One benchmark's figures. Shares are between 0 and 1."""

    name: str
    num_problems: int
    num_responses: int
    """``k``: per problem."""
    mean: Estimate
    """mean@k: mean over problems of the share of right responses (a timeout counts as not right)."""
    best: float
    """best@k: share of problems with at least one right response."""
    majority: float
    """maj@k: mean over problems of :func:`daro_verl.toolkit.evaluation.statistics.majority`."""
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
    average: Estimate


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
