"""One line of the log where a job trains and something is wrong with it all the same."""

import logging
import time
from collections.abc import Callable

import torch

from daro_verl.logs import HourlyLimit
from daro_verl.objective import bin_label
from daro_verl.workers.bin_counts import BinCounts
from daro_verl.workers.difficulty_weights import DifficultyWeights

logger = logging.getLogger(__name__)

CLAMPED_FOR = 10
"""Optimizer steps in a row with every weight at a clamp."""
TAUGHT_NOTHING_FOR = 3
"""Optimizer steps in a row in which no prompt had responses of both kinds."""
NOT_POSITIVE_FOR = 20
"""Optimizer steps in a row in which a bin was present and its loss not positive."""


class Health:
    """What has been wrong for how many optimizer steps. Every rank could say it; one does.

    Lives as long as the actor worker and is not saved: a resumed job counts anew. Rewards that are not finite are
    logged by the estimator, which knows their prompts (``advantage/estimator.py``), gradients by the worker.
    """

    def __init__(self, num_rollouts: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = HourlyLimit(clock)
        self._steps_clamped = self._steps_taught_nothing = 0
        self._steps_not_positive = torch.zeros(num_rollouts - 1, dtype=torch.int64)

    def look(self, counts: BinCounts, losses: torch.Tensor, weights: DifficultyWeights) -> None:
        """After an optimizer step: log what is wrong, all of it in one line, each cause at most once an hour.

        Args:
            counts: of the mini-batch over all ranks.
            losses: [G-1] ``L_k``; ignored where absent.
            weights: after the update.
        """
        found = {
            "clamped": self._clamped(weights),
            "taught nothing": self._taught_nothing(counts),
            "not positive": self._not_positive(counts, losses, weights),
        }
        new = [words for cause, words in found.items() if words and self._limit.allows(cause)]
        if new:
            logger.warning("Something is wrong at optimizer step %d: %s.", weights.version, "; ".join(new))

    def _clamped(self, weights: DifficultyWeights) -> str | None:
        self._steps_clamped = self._steps_clamped + 1 if weights.at_bound().all() else 0
        if self._steps_clamped < CLAMPED_FOR:
            return None
        smallest, largest = weights.options.weight_min, weights.options.weight_max
        return (
            f"all difficulty weights at weight_min={smallest:.3g} or weight_max={largest:.3g} times their start for "
            f"{CLAMPED_FOR} steps (they no longer follow the losses: the difficulties weigh as at the start)"
        )

    def _taught_nothing(self, counts: BinCounts) -> str | None:
        responses = counts.responses.cpu()
        nothing = bool(responses.sum() > 0) and not bool(responses[1:-1].any())
        self._steps_taught_nothing = self._steps_taught_nothing + 1 if nothing else 0
        if self._steps_taught_nothing < TAUGHT_NOTHING_FOR:
            return None
        share = (responses[-1] / responses.sum()).item()
        return (
            f"nothing taught for {TAUGHT_NOTHING_FOR} steps, as no prompt has both successes and failures "
            f"({share:.0%} of the responses are of prompts solved every time; do rewards differ at all, and lie on "
            "both sides of algorithm.daro.success_threshold, if it is set?)"
        )

    def _not_positive(self, counts: BinCounts, losses: torch.Tensor, weights: DifficultyWeights) -> str | None:
        present = counts.tokens.cpu()[1:-1] > 0
        steps = torch.where(losses.cpu() <= 0, self._steps_not_positive + 1, 0)
        self._steps_not_positive = torch.where(present, steps, self._steps_not_positive)
        bins = (self._steps_not_positive >= NOT_POSITIVE_FOR).nonzero().flatten().tolist()
        if not bins or not weights.learns:
            return None
        shown = ", ".join(bin_label(k + 1, weights.num_rollouts) for k in bins)
        return f"loss not positive for {NOT_POSITIVE_FOR} steps in bins {shown} (their weights grow up to weight_max)"
