"""Every option of DARO, under ``algorithm.daro.*`` in a verl job: meaning, bounds, default and its reason.

verl's configuration does not know the key, so Hydra wants a ``+``: ``+algorithm.daro.weight_lr=0.1``.
"""

import difflib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from daro_verl.advantage.reward_range import AUTO
from daro_verl.advantage.weighting import LITERAL, find_weighting
from daro_verl.errors import DaroConfigError, problem
from daro_verl.metric_set import CHOICES as METRICS
from daro_verl.prompts.selection import CHOICES as PROMPTS

CHOICES = {
    "loss_signal": ("batch", "average"),
    "metrics": METRICS,
    "prompts": PROMPTS,
}
ESTIMATOR_NAME = "daro"
EXPECTED = {
    "weight_lr": "a number in (0, 1]",
    "weight_init": "a number > 0",
    "weight_min": "a number in (0, 1]",
    "weight_max": "a number >= 1",
    "loss_ema_decay": "a number in [0, 1)",
    "success_threshold": f"{AUTO} or a finite number",
    "reward_range": f"{AUTO} or [low,high], finite, low < high",
    "prompt_band": "[low,high] with 0 <= low < high <= 1",
}
NUMBERS = ("weight_lr", "weight_init", "weight_min", "weight_max", "loss_ema_decay")


def wants_daro(config: DictConfig) -> bool:
    """Whether a verl job asks for DARO."""
    return OmegaConf.select(config, "algorithm.adv_estimator") == ESTIMATOR_NAME


def _by_weighting() -> Any:
    """A field whose default comes from the weighting (``Weighting.defaults``)."""
    return field(default=None)


@dataclass(frozen=True)
class DaroConfig:
    """Options of DARO. Each difficulty bin has one weight. All weights are dimensionless.

    If an option's default depends on the weighting, its docstring gives the default of ``learned``, and in brackets the
    default of ``paper``. ``daro_verl/advantage/weightings.py`` has all of them.
    """

    weighting: str = "learned"
    """The method: ``learned`` (DARO), ``paper`` (its literal form), ``closed_form``, ``grpo``, ``dapo``, ``dr_grpo``,
    ``lipo``, ``focal``, ``maxrl``, ``easy``, ``inverse_variance``, ``uniform`` (formulas in
    ``daro_verl.advantage.weightings``), or the import path of a user's own."""

    weight_lr: float = 0.05
    """Adam's learning rate for ``ln w``, in (0, 1]; used by ``learned`` and ``paper``. One update moves a weight by at
    most about this fraction. The model's own rate (1e-6) would freeze the weights. 0.05 covers a factor of 100 in about
    100 updates. The paper does not state its value: this default is ours."""

    weight_init: float = 1.0
    """A factor on the weights before the first update, > 0. With 1, the weighting's own start is used (ours)."""

    loss_signal: str = _by_weighting()
    """The loss that moves a learned weight. ``average``: the exponential moving average of ``L_k`` (bias-corrected,
    ``loss_ema_decay``), because a single ``L_k`` is mostly noise (ours). ``batch``: the mini-batch's own ``L_k``.
    Default ``average`` (``batch``)."""

    weight_min: float = _by_weighting()
    """Lower bound of a weight, as a multiple of its start, in (0, 1]. With ``weight_max`` it bounds how far a bin can
    be muted (ours). Default 1/3 (0.01)."""

    weight_max: float = _by_weighting()
    """Upper bound of a weight, as a multiple of its start, >= 1. If a bin's loss is not positive for long, the
    objective has no minimum, and the weight would grow for ever (ours). Default 3 (100)."""

    success_threshold: float | str = AUTO
    """How rewards give a prompt's difficulty. ``auto``: the mean reward of its responses, in units of ``reward_range``
    (ours). This is the pass rate if rewards have two values. A finite number: the pass rate (paper). A response is then
    a success if its reward is greater than the number. Use a number if rewards add something to success or failure, as
    an overlong penalty does."""

    reward_range: tuple[float, float] | str = AUTO
    """``[low, high]``, the rewards of a failure and of a success, with ``low < high``. Advantages are in units of this
    range. ``auto``: the smallest and the largest reward that the job has seen (ours). Set the range yourself if rewards
    have no bounds, as those of a reward model. Otherwise one outlier would set it."""

    loss_ema_decay: float = 0.9
    """Decay of the loss average of ``loss_signal=average``, in [0, 1): 0.9 averages over about 10 mini-batches
    (ours)."""

    prompts: str = "uniform"
    """For which prompts the job generates responses (:mod:`daro_verl.prompts.selection`). ``uniform``: all, in verl's
    order, each once in an epoch. ``informative``: more often for prompts whose next group is likely to have both right
    and wrong responses (ours). ``band``: more often for prompts with a predicted pass rate within ``prompt_band``
    (ours)."""

    prompt_band: tuple[float, float] = (0.1, 0.9)
    """Bounds of ``prompts=band``, both included (ours)."""

    metrics: str = "small"
    """Which metrics are logged (:mod:`daro_verl.metric_set`). ``small``: thirteen figures that people look at. ``all``:
    also every vector per difficulty bin, which ``daro report`` draws."""

    def __post_init__(self) -> None:
        for name, default in {**LITERAL, **find_weighting(self.weighting).defaults}.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, default)
        for name in ("reward_range", "prompt_band"):
            if isinstance(getattr(self, name), list | ListConfig):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        if problems := self._problems():
            raise DaroConfigError.of(problems)

    def _problems(self) -> list[str]:
        """What is wrong with the values, one line each; empty if nothing is."""
        wrong = [
            _problem(name, getattr(self, name), f"one of {', '.join(known)}")
            for name, known in CHOICES.items()
            if getattr(self, name) not in known
        ]
        numbers = {name: getattr(self, name) for name in NUMBERS}
        wrong += [_problem(name, value, "a finite number") for name, value in numbers.items() if not _is_number(value)]
        if self.success_threshold != AUTO and not _is_number(self.success_threshold):
            wrong.append(_problem("success_threshold", self.success_threshold))
        if self.reward_range != AUTO and not _is_range(self.reward_range):
            wrong.append(_problem("reward_range", self.reward_range))
        if not _is_range(self.prompt_band) or not 0 <= self.prompt_band[0] < self.prompt_band[1] <= 1:
            wrong.append(_problem("prompt_band", self.prompt_band))
        return wrong or self._out_of_bounds()

    def _out_of_bounds(self) -> list[str]:
        within = {
            "weight_lr": 0 < self.weight_lr <= 1,
            "weight_init": self.weight_init > 0,
            "weight_min": 0 < self.weight_min <= 1,
            "weight_max": self.weight_max >= 1,
            "loss_ema_decay": 0 <= self.loss_ema_decay < 1,
        }
        return [_problem(name, getattr(self, name)) for name, ok in within.items() if not ok]

    @classmethod
    def from_mapping(cls, options: Mapping[str, Any] | None) -> "DaroConfig":
        """Read ``algorithm.daro``; absent options take their defaults.

        Raises:
            DaroConfigError: an option is unknown, of another type or out of bounds. For an unknown option the message
                has a similar name, if there is one.
        """
        options = dict(options or {})
        known = [field.name for field in fields(cls)]
        problems = [_unknown_option(str(name), known) for name in options if name not in known]
        try:
            read = cls(**{name: value for name, value in options.items() if name in known})
        except DaroConfigError as error:
            problems += error.problems
        if problems:
            raise DaroConfigError.of(problems)
        return read

    def to_dict(self) -> dict[str, Any]:
        """The options as plain values, ready for OmegaConf and JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_range(value: object) -> bool:
    if not isinstance(value, tuple) or len(value) != 2 or not all(map(_is_number, value)):
        return False
    return bool(value[0] < value[1])


def _problem(name: str, got: object, expected: str = "") -> str:
    fix = f"set +algorithm.daro.{name}=VALUE accordingly"
    return problem(f"algorithm.daro.{name}", got, expected or EXPECTED[name], fix)


def _unknown_option(name: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    fix = f"did you mean +algorithm.daro.{nearest[0]}=...?" if nearest else "leave it out"
    return problem("algorithm.daro", name, f"one of {', '.join(known)}", fix)
