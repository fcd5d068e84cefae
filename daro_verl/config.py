"""Every option of DARO, under ``algorithm.daro.*`` in a verl job: meaning, bounds, default and its reason.

verl's configuration does not know the key, so Hydra wants a ``+``: ``+algorithm.daro.weight_lr=0.1``.
"""

import difflib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from daro_verl.advantage.weighting import find_weighting
from daro_verl.errors import DaroConfigError, got_expected_fix

CHOICES = {
    "weight_start": ("constant", "first_loss"),
    "loss_signal": ("batch", "average"),
    "not_positive": ("keep", "skip", "floor", "absolute"),
    "weight_scale": ("raw", "mean_one"),
}
BIN_SCALES = {"equal": 0.0, "token_share": 1.0, "batch_share": None}


@dataclass(frozen=True)
class DaroConfig:
    """Options of DARO. Weights are per difficulty bin; all of them are dimensionless.

    The defaults here are the paper's where it states one. A weighting may have others (``Weighting.defaults``), which
    :meth:`from_mapping` applies: that is what a job gets.
    """

    weighting: str = "learned"
    """The method: ``learned`` (DARO), ``paper`` (its literal form), ``closed_form``, ``grpo``, ``dapo``, ``dr_grpo``,
    ``lipo``, ``inverse_variance``, ``uniform`` (formulas in ``daro_verl.advantage.weightings``), or the import path of
    a user's own."""

    weight_lr: float = 0.05
    """Adam's learning rate for ``ln w``, in (0, 1]; used by ``learned``. One update moves a weight by at most about
    this fraction. The model's own rate (1e-6) would freeze the weights; 0.05 covers a factor of 100 in about 100
    updates. The paper does not state its value: this default is ours."""

    weight_init: float = 1.0
    """Weight of every bin before the first update, in [weight_min, weight_max]. 1 starts from the plain per-bin mean
    (ours). With ``inverse_variance`` a factor on its weights."""

    weight_start: str = "constant"
    """Where a learned weight begins to learn: ``constant``, at ``weight_init``; ``first_loss``, at the minimiser
    ``1 / L`` of the first loss of its bin, within the clamps (ours)."""

    loss_signal: str = "batch"
    """The loss that moves a learned weight: ``batch``, the mini-batch's own; ``average``, its exponential moving
    average (bias-corrected, ``loss_ema_decay``), because a single ``L_k`` is mostly noise (ours)."""

    not_positive: str = "keep"
    """What moves a learned weight where the signal is not positive and the objective has no minimum: ``keep``, the
    signal as it is (the weight grows); ``skip``, nothing; ``floor``, a signal of ``1 / weight_max``; ``absolute``, its
    absolute value (ours)."""

    bin_scale: float | str = "equal"
    """How the bins share the loss before their weights, for weightings with a token mean per bin: ``equal``, each bin
    alike (paper); ``token_share``, in proportion to its tokens; a power of that share in [0, 1]; ``batch_share``, by
    its share of all response tokens, those of prompts that teach nothing too (ours)."""

    weight_scale: str = "raw"
    """``raw``: the weights themselves (paper). ``mean_one``: divided by their mean over the bins present, so that the
    weights choose between bins and never scale the loss (ours)."""

    weight_min: float = 0.01
    """Lower clamp of a weight, > 0. With ``weight_max`` it bounds how far a bin can be muted (ours)."""

    weight_max: float = 100.0
    """Upper clamp of a weight, finite. Where a bin's loss is not positive for long the objective has no minimum, and
    the weight would grow for ever (ours)."""

    success_threshold: float = 0.5
    """A response is a success if its reward is greater than this; finite. 0.5 separates {0, 1} and {-1, 1} rewards;
    rewards of {-1, 1} minus an overlong penalty want 0."""

    loss_ema_decay: float = 0.9
    """Decay of the loss average of ``closed_form`` and of ``loss_signal=average``, in [0, 1): 0.9 averages over about
    10 mini-batches (ours)."""

    balanced_sampling: bool = False
    """Whether the replay buffer keeps, of the groups that it has too many of, those that balance the bins, instead of
    the oldest; the larger weight decides between bins. For jobs of V1 trainers with dynamic sampling,
    ``algorithm.filter_groups`` (ours)."""

    def __post_init__(self) -> None:
        problems = self._problems()
        if problems:
            raise DaroConfigError("\n".join(problems))

    @property
    def bin_scale_power(self) -> float | None:
        """``bin_scale`` as the power of the token share: 0 is ``equal``, 1 ``token_share``, None ``batch_share``."""
        return BIN_SCALES[self.bin_scale] if isinstance(self.bin_scale, str) else float(self.bin_scale)

    def _problems(self) -> list[str]:
        """What is wrong with the values, one line each; empty if nothing is."""
        try:
            find_weighting(self.weighting)
        except DaroConfigError as error:
            return [str(error)]
        wrong = [
            _problem(name, getattr(self, name), f"one of {', '.join(known)}")
            for name, known in CHOICES.items()
            if getattr(self, name) not in known
        ]
        if not isinstance(self.balanced_sampling, bool):
            wrong.append(_problem("balanced_sampling", self.balanced_sampling, "True or False"))
        if str(self.bin_scale) not in BIN_SCALES and not (
            _is_number(self.bin_scale) and 0 <= float(self.bin_scale) <= 1
        ):
            wrong.append(_problem("bin_scale", self.bin_scale, "equal, token_share, batch_share, or a power in [0, 1]"))
        numbers = {field.name: getattr(self, field.name) for field in fields(self) if isinstance(field.default, float)}
        wrong += [_problem(name, value, "a finite number") for name, value in numbers.items() if not _is_number(value)]
        return wrong or self._out_of_bounds()

    def _out_of_bounds(self) -> list[str]:
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
        """Read ``algorithm.daro``; absent options take the defaults of the weighting, then those of this class.

        Raises:
            DaroConfigError: an option is unknown (with the nearest known name) or out of bounds.
        """
        options = dict(options or {})
        known = [field.name for field in fields(cls)]
        unknown = [name for name in options if name not in known]
        if unknown:
            raise DaroConfigError("\n".join(_unknown_option(name, known) for name in unknown))
        weighting = find_weighting(options.get("weighting", cls.weighting))
        return cls(**{**weighting.defaults, **options})

    def to_dict(self) -> dict[str, Any]:
        """The options as plain values, ready for OmegaConf and JSON."""
        return asdict(self)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _problem(name: str, got: object, expected: str) -> str:
    return got_expected_fix(f"algorithm.daro.{name}", got, expected, f"set +algorithm.daro.{name}=VALUE accordingly")


def _unknown_option(name: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
    return got_expected_fix(
        "algorithm.daro", name, f"one of {', '.join(known)}", f"did you mean +algorithm.daro.{nearest}=...?"
    )
