"""Metrics of the exchange until verl computes those of the step, in the same process."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

_sums: dict[str, float] = defaultdict(float)
_latest: dict[str, float] = {}
_shares: dict[str, Counter[str]] = {}
_means: dict[str, list[float]] = defaultdict(list)


def add(metrics: Mapping[str, float]) -> None:
    """Metrics that add up where they come more than once in a step."""
    for name, value in metrics.items():
        _sums[name] += value


def put(metrics: Mapping[str, float]) -> None:
    """Metrics of which the last of a step counts."""
    _latest.update(metrics)


def add_to_means(values: Mapping[str, Iterable[float]]) -> None:
    """Metrics that are the mean of their values over the whole step; none where there was no value."""
    for name, of_step in values.items():
        _means[name].extend(of_step)


def add_to_shares(group: str, labels: Iterable[str], seen: Iterable[str]) -> None:
    """Count prompts: ``{group}/{label}`` is the share of each label in the step, ``{group}/num_prompts`` their number.

    Args:
        group: name of the metrics.
        labels: all that are logged, also where none was seen.
        seen: label of each prompt.
    """
    counts = _shares.setdefault(group, Counter())
    counts.update(dict.fromkeys(labels, 0))
    counts.update(seen)


def drain() -> dict[str, float]:
    """The metrics since the last call; empty in a job without DARO."""
    metrics = {**_sums, **_latest}
    for group, counts in _shares.items():
        metrics[f"{group}/num_prompts"] = float(counts.total())
        metrics |= {f"{group}/{label}": count / max(counts.total(), 1) for label, count in counts.items()}
    metrics |= {name: sum(values) / len(values) for name, values in _means.items() if values}
    for log in (_sums, _latest, _shares, _means):
        log.clear()
    return metrics
