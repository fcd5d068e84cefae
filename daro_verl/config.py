"""Every option of DARO, under ``algorithm.daro.*`` in a verl job: meaning, bounds, default and its reason.

verl's configuration does not know the key, so Hydra wants a ``+``: ``+algorithm.daro.weight_lr=0.1``.
"""

import difflib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from daro_verl.errors import DaroConfigError, got_expected_fix

WEIGHTINGS = ("learned", "closed_form", "uniform")


@dataclass(frozen=True)
class DaroConfig:
    """Options of DARO. Weights are per difficulty bin; all of them are dimensionless."""

    weighting: str = "learned"
    """How the weight of a bin follows its loss. ``learned`` (the paper): a parameter, trained with Adam on
    ``w L - ln w``. ``closed_form`` (ours): ``1 / EMA(L)``, the minimiser of the same objective without an optimizer.
    ``uniform`` (ablation): stays at ``weight_init``."""

    weight_lr: float = 0.05
    """Adam's learning rate for ``ln w``, in (0, 1]; used by ``learned``. One update moves a weight by at most about
    this fraction. The model's own rate (1e-6) would freeze the weights; 0.05 covers a factor of 100 in about 100
    updates. The paper does not state its value: this default is ours."""

    weight_init: float = 1.0
    """Weight of every bin before the first update, in [weight_min, weight_max]. 1 starts from the plain per-bin mean
    (ours)."""

    weight_min: float = 0.01
    """Lower clamp of a weight, > 0. With ``weight_max`` it bounds how far a bin can be muted (ours)."""

    weight_max: float = 100.0
    """Upper clamp of a weight, finite. Where a bin's loss is not positive for long the objective has no minimum, and
    the weight would grow for ever (ours)."""

    success_threshold: float = 0.5
    """A response is a success if its reward is greater than this; finite. 0.5 separates {0, 1} and {-1, 1} rewards;
    rewards of {-1, 1} minus an overlong penalty want 0."""

    loss_ema_decay: float = 0.9
    """Decay of the loss average of ``closed_form``, in [0, 1): 0.9 averages over about 10 mini-batches (ours)."""

    def __post_init__(self) -> None:
        problems = self._problems()
        if problems:
            raise DaroConfigError("\n".join(problems))

    def _problems(self) -> list[str]:
        """What is wrong with the values, one line each; empty if nothing is."""
        if self.weighting not in WEIGHTINGS:
            return [_problem("weighting", self.weighting, f"one of {', '.join(WEIGHTINGS)}")]
        for field in fields(self):
            value = getattr(self, field.name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if field.name != "weighting" and not is_number:
                return [_problem(field.name, value, "a finite number")]
        bounds = {
            "weight_lr": (0 < self.weight_lr <= 1, "a number in (0, 1]"),
            "weight_min": (self.weight_min > 0, "a number > 0"),
            "weight_max": (self.weight_max >= self.weight_min, f"a number >= weight_min ({self.weight_min})"),
            "weight_init": (
                self.weight_min <= self.weight_init <= self.weight_max,
                f"a number in [weight_min, weight_max] = [{self.weight_min}, {self.weight_max}]",
            ),
            "loss_ema_decay": (0 <= self.loss_ema_decay < 1, "a number in [0, 1)"),
        }
        return [_problem(name, getattr(self, name), expected) for name, (ok, expected) in bounds.items() if not ok]

    @classmethod
    def from_mapping(cls, options: Mapping[str, Any] | None) -> "DaroConfig":
        """Read ``algorithm.daro``; absent options take their defaults.

        Raises:
            DaroConfigError: an option is unknown (with the nearest known name) or out of bounds.
        """
        options = dict(options or {})
        known = [field.name for field in fields(cls)]
        unknown = [name for name in options if name not in known]
        if unknown:
            raise DaroConfigError("\n".join(_unknown_option(name, known) for name in unknown))
        return cls(**options)

    def to_dict(self) -> dict[str, Any]:
        """The options as plain values, ready for OmegaConf and JSON."""
        return asdict(self)


def _problem(name: str, got: object, expected: str) -> str:
    return got_expected_fix(f"algorithm.daro.{name}", got, expected, f"set +algorithm.daro.{name}=VALUE accordingly")


def _unknown_option(name: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
    return got_expected_fix(
        "algorithm.daro", name, f"one of {', '.join(known)}", f"did you mean +algorithm.daro.{nearest}=...?"
    )
