"""One line of the log for a job that trains although something is wrong."""

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
    """Counts for how many optimizer steps each thing has been wrong. One rank logs it for all.

    It lives as long as the actor worker and is not saved, so a resumed job counts from zero. The estimator logs rewards
    that are not finite, because it knows their prompts (``advantage/estimator.py``). The worker logs gradients.
    """

    def __init__(self, num_rollouts: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = HourlyLimit(clock)
        self._steps_clamped = self._steps_taught_nothing = 0
        self._steps_not_positive = torch.zeros(num_rollouts - 1, dtype=torch.int64)

    def look(self, counts: BinCounts, losses: torch.Tensor, weights: DifficultyWeights) -> None:
        """After an optimizer step, log everything that is wrong in one line, each cause at most once an hour.

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
            f"{CLAMPED_FOR} steps (they no longer follow the losses: the bins weigh as they did at the start)"
        )

    def _taught_nothing(self, counts: BinCounts) -> str | None:
        responses = counts.responses.cpu()
        nothing = bool(responses.sum() > 0) and not bool(responses[1:-1].any())
        self._steps_taught_nothing = self._steps_taught_nothing + 1 if nothing else 0
        if self._steps_taught_nothing < TAUGHT_NOTHING_FOR:
            return None
        share = (responses[-1] / responses.sum()).item()
        return (
            f"nothing taught for {TAUGHT_NOTHING_FOR} steps, because no prompt has both successes and failures "
            f"({share:.0%} of the responses belong to prompts that were solved every time; check that rewards differ, "
            "and that they lie on both sides of algorithm.daro.success_threshold if you set it)"
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
