"""The range of a job's rewards. In units of it, rewards of {0, 1}, {0, 0.1} and {10, 100} are the same."""

import json
import logging
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from daro_verl.atomic import write_atomically
from daro_verl.errors import DaroCheckpointError
from daro_verl.logs import HourlyLimit

logger = logging.getLogger(__name__)

FILE_NAME = "daro_rewards.json"
FORMAT = 1
AUTO = "auto"
"""The default of the two options about rewards: learn them from the rewards that the job sees."""


@dataclass(frozen=True)
class RewardRange:
    """``[low, high]``. It is unknown until the job has seen two different rewards. Until then nothing is taught."""

    low: float = math.inf
    high: float = -math.inf

    @property
    def is_known(self) -> bool:
        return self.low < self.high

    @property
    def middle(self) -> float:
        """A reward above it is a success. It is 0.5, which fits {0, 1}, while the range is unknown."""
        return (self.low + self.high) / 2 if self.is_known else 0.5

    def in_units(self, rewards: torch.Tensor) -> torch.Tensor:
        """``(r - low) / (high - low)``, float64: exactly 0 and 1 for rewards of two values; 0 if unknown."""
        if not self.is_known:
            return torch.zeros_like(rewards, dtype=torch.float64)
        return (rewards.double() - self.low) / (self.high - self.low)

    def including(self, rewards: torch.Tensor) -> "RewardRange":
        """The smallest range that also contains these rewards. Rewards that are not finite do not count."""
        finite = rewards[rewards.isfinite()]
        if not finite.numel():
            return self
        return RewardRange(min(self.low, finite.min().item()), max(self.high, finite.max().item()))


UNIT = RewardRange(0.0, 1.0)


class SeenRewards:
    """The range of all rewards that a job has seen. It lives on the driver with the job, and is saved when it widens.

    The file is in the folder of the job's checkpoints. Each entry is a range, and the number of the estimate that set
    it. Estimates count like the job's steps. A job that resumes from step ``S`` leaves out the entries of later
    estimates. So it trains as it would have without the interruption.

    Attributes:
        range: the current range.
        given: whether the user set it. Then it never changes, and nothing is saved.
        log_limit: the limit of the warnings about rewards.
    """

    def __init__(
        self,
        file: str | None = None,
        resumed_file: str | None = None,
        step: int = 0,
        given: tuple[float, float] | None = None,
    ) -> None:
        """Read what was saved.

        Args:
            file: where to save; None: nowhere.
            resumed_file: the file to read; None if the job starts from scratch.
            step: the step from which the job goes on.
            given: ``algorithm.daro.reward_range``.

        Raises:
            DaroCheckpointError: the file cannot be read.
        """
        self.given, self._file, self._estimates = given is not None, file, step
        entries = _read(Path(resumed_file)) if resumed_file and not given else []
        self._entries = [entry for entry in entries if entry[0] <= step]
        low, high = given or (self._entries[-1][1:] if self._entries else (math.inf, -math.inf))
        self.range = self._previewed = RewardRange(low, high)
        self.log_limit = HourlyLimit()
        if self._entries and resumed_file != file:
            self._write()

    def preview(self, rewards: torch.Tensor) -> RewardRange:
        """The range with all rewards of this and earlier previews, which no estimate may have seen yet."""
        if self.given:
            return self.range
        low, high = min(self.range.low, self._previewed.low), max(self.range.high, self._previewed.high)
        self._previewed = RewardRange(low, high).including(rewards)
        return self._previewed

    def see(self, rewards: torch.Tensor) -> RewardRange:
        """Widen the range by the rewards of one estimate, log and save it if it changes, and return it."""
        self._estimates += 1
        widened = self.range if self.given else self.range.including(rewards)
        if widened != self.range:
            self.range = widened
            if widened.is_known:
                self._declare(rewards)
                self._save()
        return self.range

    def _declare(self, rewards: torch.Tensor) -> None:
        values = rewards[rewards.isfinite()].unique().tolist()
        shown = "{" + ", ".join(f"{value:g}" for value in values) + "}" if len(values) <= 8 else f"{len(values)} values"
        logger.info(
            "Rewards lie in [%g, %g] (in this batch %s). Difficulty and advantages are in units of this range, which "
            "widens if others come. To fix it: +algorithm.daro.reward_range=[%g,%g].",
            self.range.low,
            self.range.high,
            shown,
            self.range.low,
            self.range.high,
        )

    def _save(self) -> None:
        self._entries.append((self._estimates, self.range.low, self.range.high))
        self._write()

    def _write(self) -> None:
        if self._file:
            path = Path(self._file)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps({"format": FORMAT, "ranges": self._entries}))


@cache
def seen_rewards(
    file: str | None, resumed_file: str | None, step: int, given: tuple[float, float] | None
) -> SeenRewards:
    """The process's only object for a job. The arguments are those of :class:`SeenRewards`."""
    return SeenRewards(file, resumed_file, step, given)


def _read(path: Path) -> list[tuple[int, float, float]]:
    try:
        saved = json.loads(path.read_text())
        if saved["format"] != FORMAT:
            raise ValueError(f"format {saved['format']}")
        return [(int(estimate), float(low), float(high)) for estimate, low, high in saved["ranges"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        fix = "restore the file, or delete it to learn the range anew, or set +algorithm.daro.reward_range=[0,1]"
        got = f"{type(error).__name__}: {error}"
        raise DaroCheckpointError(str(path), got=got, expected="the range of a job's rewards", fix=fix) from error
