"""Options of the math reward: verl's ``reward.custom_reward_function.reward_kwargs``."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from daro_verl.errors import DaroConfigError, problem

_WHERE = "reward.custom_reward_function.reward_kwargs"
# What verl passes to every custom reward function while a reward model runs.
_FROM_VERL = frozenset({"reward_router_address", "reward_model_tokenizer"})


@dataclass(frozen=True)
class MathRewardOptions:
    """Checked options. A wrong one raises a :class:`DaroConfigError` at the first answer."""

    on_timeout: Literal["wrong", "exclude"] = "wrong"
    """Score of an answer that could not be decided: 0, or NaN. DARO leaves NaN out of the prompt's pass rate."""

    deadline_s: float = 5.0
    """Seconds that math-verify has for one pair, from the moment a worker begins. Easy pairs take milliseconds."""

    workers: int = 2
    """Most workers in each of verl's ``reward.num_workers`` processes. A worker takes about 75 MB."""

    memory_mb: int = 1024
    """MiB that one worker may allocate beyond what it starts with."""

    def __post_init__(self) -> None:
        problems = []
        if self.on_timeout not in ("wrong", "exclude"):
            problems.append(("on_timeout", "'wrong' or 'exclude'", "choose one of the two"))
        if not _is_number(self.deadline_s) or not 0 < self.deadline_s <= 600:
            problems.append(("deadline_s", "seconds in (0, 600]", "try 5, which is enough for all but hopeless pairs"))
        if not _is_whole(self.workers) or not 1 <= self.workers <= 64:
            problems.append(("workers", "a whole number in [1, 64]", "try 2, which keep up with a rollout"))
        if not _is_whole(self.memory_mb) or not 64 <= self.memory_mb <= 65_536:
            problems.append(("memory_mb", "MiB in [64, 65536]", "try 1024, which is enough for all but hopeless pairs"))
        if problems:
            raise DaroConfigError.of(
                [problem(f"{_WHERE}.{name}", getattr(self, name), expected, fix) for name, expected, fix in problems]
            )


def options_from(kwargs: Mapping[str, Any]) -> MathRewardOptions:
    """The options in a call's keyword arguments. An unknown one is refused, because it is probably a typing error."""
    known = {field.name for field in fields(MathRewardOptions)}
    unknown = sorted(set(kwargs) - known - _FROM_VERL)
    if unknown:
        expected = f"names from {sorted(known)}"
        raise DaroConfigError(_WHERE, got=unknown, expected=expected, fix="correct the names")
    return MathRewardOptions(**{name: value for name, value in kwargs.items() if name in known})


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
