"""Which of DARO's metrics a job logs: the option ``algorithm.daro.metrics``.

``small`` (the default) has the figures that people look at, each for a reason:

- ``objective``: does the loss that DARO minimises fall;
- ``pass_rate``, ``taught_nothing``: does the model learn, and how much of the rollout is wasted on prompts that are
  always solved or never;
- ``weights/min``, ``weights/max``, ``weights_at_bound``: how far the weights have spread, and whether they still move;
- ``loss_share_ratio``: does one difficulty dominate the loss (the loss scale issue);
- ``loss_snr_median``: is the signal that moves the weights more than noise;
- ``weight_version/max``: does every optimizer step move the weights;
- ``responses/generated``, ``responses/discarded``, ``responses/not_generated``: what dynamic sampling costs, and what
  choosing prompts saves (zero unless the option ``prompts`` leaves some out);
- ``prompts/informative``: how many groups have both right and wrong responses, before any filter.

Counters of faults are logged only in the steps that had a fault. ``all`` adds every vector per difficulty bin, which
``daro report`` draws, and logs the counters of faults in every step.
"""

from collections.abc import Mapping
from typing import TypeVar

Value = TypeVar("Value")

ALL = "all"
CHOICES = ("small", ALL)

SMALL = {
    "daro/objective",
    "daro/pass_rate",
    "daro/taught_nothing",
    "daro/weights/min",
    "daro/weights/max",
    "daro/weights_at_bound",
    "daro/loss_share_ratio",
    "daro/loss_snr_median",
    "daro/weight_version/max",
    "daro/responses/generated",
    "daro/responses/discarded",
    "daro/responses/not_generated",
    "daro/prompts/informative",
}
FAULTS = {
    "daro/reward_not_finite",
    "daro/loss_not_finite",
    "daro/gradient_not_finite",
    "daro/missed_by_threshold",
    "daro/exchange/refused",
    "daro/exchange/failed",
    "daro/exchange/late",
}


def selected(metrics: Mapping[str, Value], choice: str) -> dict[str, Value]:
    """The metrics that a job with this choice logs.

    Args:
        metrics: all that DARO can log, by name, without verl's ``actor/``.
        choice: ``small`` or ``all``.
    """
    if choice == ALL:
        return dict(metrics)
    return {name: value for name, value in metrics.items() if name in SMALL or (name in FAULTS and value)}
