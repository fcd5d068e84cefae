"""One line of the log for each step of the trainer. It has at most 100 columns, with the name that Ray puts first."""

import logging
from collections import deque
from collections.abc import Mapping
from statistics import fmean
from typing import Any

from daro_verl.logs import PLAIN

logger = logging.getLogger(__name__)
MOST_UPDATES = 1000
"""A line covers at most this many optimizer steps. A job that never syncs its weights would otherwise keep them all."""


class StepLine:
    """Collects the metrics of every optimizer step, and logs one line when the trainer's step ends."""

    def __init__(self) -> None:
        self._updates: deque[Mapping[str, Any]] = deque(maxlen=MOST_UPDATES)

    def add(self, metrics: Mapping[str, Any]) -> None:
        """Add the metrics of an optimizer step, from :func:`~daro_verl.workers.metrics.step_metrics`."""
        self._updates.append(metrics)

    def say(self, global_step: int) -> None:
        """Log the line and start anew. If there was no optimizer step since the last line, log nothing.

        Args:
            global_step: verl's label of the step.
        """
        if self._updates:
            logger.info(line(global_step, list(self._updates)), extra=PLAIN)
        self._updates.clear()


def line(global_step: int, updates: list[Mapping[str, Any]]) -> str:
    """The figures of a step: means over its optimizer steps, and the weights after the last one.

    Example: ``DARO step 12: pass 0.41, informative 63%, w 0.52-2.1, loss ratio 3.4``.

    - ``pass``: mean pass rate;
    - ``informative``: share of the responses whose prompt has both successes and failures;
    - ``w``: smallest and largest weight;
    - ``loss ratio``: largest over smallest share of a bin in the loss; ``-`` if a bin's loss is 0, or none is present.
    """
    last = updates[-1]
    informative = 1 - _mean(updates, "daro/taught_nothing")
    return (
        f"DARO step {global_step}: pass {_mean(updates, 'daro/pass_rate'):.2f}, informative {informative:.0%}, "
        f"w {_short(last['daro/weights/min'])}-{_short(last['daro/weights/max'])}, loss ratio {_ratio(updates)}"
    )


def _ratio(updates: list[Mapping[str, Any]]) -> str:
    ratios = [update["daro/loss_share_ratio"] for update in updates if "daro/loss_share_ratio" in update]
    return _short(fmean(ratios)) if ratios else "-"


def _short(value: float) -> str:
    """A weight or a ratio in at most five characters."""
    return ">999" if value > 999 else f"{value:.3g}" if value >= 100 else f"{value:.2g}"


def _mean(updates: list[Mapping[str, Any]], name: str) -> float:
    return fmean(update[name] for update in updates)
