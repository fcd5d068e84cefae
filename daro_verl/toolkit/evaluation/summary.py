"""The figures of a run, from its rows: per benchmark, and their average. Pure functions."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from daro_verl.toolkit.evaluation.estimates import MeanWithError, macro_average, mean_over_problems
from daro_verl.toolkit.evaluation.row_file import LENGTH, NO_ROOM, Row

LONG = 256  # tokens; two independent responses of this length are equal only if a model hardly varies


def pass_at(k: int, num_responses: int, num_right: int) -> float:
    """Unbiased pass@k of a problem with ``n`` responses of which ``c`` are right: ``1 - C(n - c, k) / C(n, k)``.

    It is the share of all choices of ``k`` of the ``n`` responses that contain a right one (Chen et al. 2021, arXiv
    2107.03374, equation 1). pass@1 is the pass rate ``c / n``. pass@n is whether any response is right.
    """
    return 1 - math.comb(num_responses - num_right, k) / math.comb(num_responses, k)


def budgets(num_responses: int) -> list[int]:
    """The values of ``k`` for pass@k: 2, 4, 8 .. below ``n``, and ``n``."""
    return [2**power for power in range(1, num_responses.bit_length()) if 2**power < num_responses] + [num_responses]


def majority(predictions: Sequence[str], right: Sequence[float], undecided: Sequence[bool]) -> float:
    """Whether the most frequent answer is right.

    - One answer is one normalised text with one verdict. Texts have no units, so ``5 cm`` and ``5`` vote together if
      both are right. A wrong ``5 km``, whose text is also ``5``, votes apart from them.
    - An undecided response votes with the right responses of its text, if there are any.
    - Responses without an answer do not vote. Without any vote, the problem is wrong.
    - If several answers have the most votes, the result is the share of them that is right. That is the mean over a
      random choice of one of them, and does not depend on the order of the responses.
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
    """``n``, the number of responses per problem."""
    figures: dict[str, MeanWithError]
    """Means over problems of :func:`figures`, by their names."""
    truncated: float
    """Share of all responses that ended because no tokens were left."""
    timeouts: int
    """Responses whose answer could not be decided. They make mean@n too low by at most ``timeouts / (P n)``."""
    no_room: int
    """Problems whose prompt left no token for a response. All their responses count as wrong."""
    repeated: int
    """Responses of at least :data:`LONG` tokens that equal an earlier response to the same problem, token by token."""
    mean_length: float
    """Mean over all generated responses, in tokens; NaN without any."""

    @property
    def mean(self) -> MeanWithError:
        """mean@n: the mean over problems of the share of right responses. A timeout counts as not right."""
        return self.figures[f"mean@{self.num_responses}"]

    def others(self) -> dict[str, MeanWithError]:
        """All except mean@n: pass@2 .. pass@n and maj@n. There are none with one response per problem."""
        return {name: value for name, value in self.figures.items() if not name.startswith("mean@")}


@dataclass(frozen=True)
class Summary:
    """``average``: the mean of the benchmarks' mean@n. Each benchmark counts the same."""

    benchmarks: tuple[Benchmark, ...]
    average: MeanWithError


def summarise(rows: Iterable[Row]) -> Summary:
    """The figures of finished rows. Benchmarks are in the order of their first row."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.benchmark, []).append(row)
    benchmarks = tuple(_benchmark(name, group) for name, group in grouped.items())
    return Summary(benchmarks, macro_average([benchmark.mean for benchmark in benchmarks]))


def pass_rate(row: Row) -> float:
    """Share of right responses."""
    return sum(response.acc for response in row.responses) / len(row.responses)


def figures(row: Row) -> dict[str, float]:
    """A problem's figures, by name: mean@n, and with several responses also pass@2 .. pass@n and maj@n.

    pass@1 is mean@n. pass@n is also called best@n.
    """
    n, right = len(row.responses), sum(response.acc == 1 for response in row.responses)
    found = {f"mean@{n}": pass_rate(row)}
    if n > 1:
        found |= {f"pass@{k}": pass_at(k, n, right) for k in budgets(n)}
        votes = zip(*((item.pred, item.acc, item.timed_out) for item in row.responses), strict=True)
        found[f"maj@{n}"] = majority(*votes)
    return found


def repeated(row: Row) -> int:
    """Number of long responses that repeat an earlier one; see :class:`Benchmark`."""
    long = [response.digest for response in row.responses if response.length >= LONG and response.digest]
    return len(long) - len(set(long))


def _benchmark(name: str, rows: Sequence[Row]) -> Benchmark:
    responses = [response for row in rows for response in row.responses]
    lengths = [response.length for response in responses if response.finish != NO_ROOM]
    of_rows = [figures(row) for row in rows]
    return Benchmark(
        name=name,
        num_problems=len(rows),
        num_responses=len(rows[0].responses),
        figures={key: mean_over_problems([found[key] for found in of_rows]) for key in of_rows[0]},
        truncated=sum(response.finish == LENGTH for response in responses) / len(responses),
        timeouts=sum(response.timed_out for response in responses),
        no_room=sum(row.responses[0].finish == NO_ROOM for row in rows),
        repeated=sum(map(repeated, rows)),
        mean_length=sum(lengths) / len(lengths) if lengths else float("nan"),
    )
