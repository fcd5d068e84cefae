"""A method as a weight per difficulty: what a weighting defines, and how to find one by its name."""

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import torch

from daro_verl.advantage.groups import PromptGroups
from daro_verl.errors import DaroConfigError
from daro_verl.objective import LearningRule

LITERAL: Mapping[str, Any] = MappingProxyType(
    {
        "loss_signal": "batch",
        "weight_min": 0.01,
        "weight_max": 100.0,
    }
)
"""The options of the paper's literal form."""


class Weighting:
    """One method in the paper's unified view, with centred advantages ``A_i = r_i - mean(r of its prompt)``:

        loss = sum over bins k of (w_k / D_k) * sum over the responses i of bin k and their tokens t of ell_it(f_p A_i)

    A subclass defines ``f``, ``w`` and ``D``. The rest is the same for all methods. A subclass has no state and takes
    no arguments, because the driver and every actor worker make their own instance. Its docstring gives its formula and
    source.
    """

    rule: ClassVar[type[LearningRule]] = LearningRule
    """How ``w`` moves after each optimizer step. The base class keeps it fixed."""

    normaliser: ClassVar[str] = "bin_tokens"
    """Which ``D_k``: a key of :data:`NORMALISERS`."""

    raw_rewards: ClassVar[bool] = False
    """Whether ``r_i`` is the reward itself, as in other methods. Otherwise it is in units of the rewards' range. Losses
    and weights then mean the same for rewards of {0, 1}, {0, 0.1} and {10, 100} (ours)."""

    defaults: ClassVar[Mapping[str, Any]] = LITERAL
    """The weighting's own defaults of ``loss_signal``, ``weight_min`` and ``weight_max``."""

    @property
    def learns(self) -> bool:
        """Whether the weights move."""
        return self.rule is not LearningRule

    def advantage_factor(self, groups: PromptGroups) -> torch.Tensor:
        """``f_p``, [num_prompts] float64, from the rewards of the whole batch (driver)."""
        return torch.ones_like(groups.pass_rate)

    def bin_weights(self, pass_rate: torch.Tensor) -> torch.Tensor:
        """``w_k / weight_init``, [G-1] float64, from ``mu = k / G``. Learned weights start from these values."""
        return torch.ones_like(pass_rate)

    def contributions(self, pass_rate: torch.Tensor) -> torch.Tensor:
        """``nu_k``, [G-1] float64: ``w_k L_k`` at the minimum of the objective, if the weights learn."""
        return torch.ones_like(pass_rate)

    def denominators(self, tokens: torch.Tensor, token_budget: float) -> torch.Tensor:
        """``D`` [G+1] float64 of a mini-batch with ``T`` [G+1] tokens. It is infinite for a bin that does not count.

        Bins 0 and G do not count, also where rewards differ on one side of a ``success_threshold``. Other methods know
        no bins: with ``raw_rewards`` such prompts train as in verl.
        """
        denominators = NORMALISERS[self.normaliser](tokens, token_budget)
        if not self.raw_rewards:
            denominators[0] = denominators[-1] = torch.inf
        return denominators


def bin_tokens(tokens: torch.Tensor, token_budget: float) -> torch.Tensor:
    """``D_k = T_k``, the bin's own tokens: each bin is a token mean of its own (paper). Infinite in bins 0 and G."""
    present = tokens > 0
    present[0] = present[-1] = False
    return torch.where(present, tokens.double(), torch.inf)


def all_tokens(tokens: torch.Tensor, token_budget: float) -> torch.Tensor:
    """``D_k = sum_j T_j``, all response tokens of the mini-batch (verl's ``token-mean``).

    A bin's token mean counts in proportion to the bin's share of all tokens. Tokens of bins 0 and G count too, so a
    mini-batch that teaches little has a small loss.
    """
    return torch.full_like(tokens, tokens.sum().clamp(min=1).item(), dtype=torch.float64)


def token_budget(tokens: torch.Tensor, token_budget: float) -> torch.Tensor:
    """``D_k`` = responses of a mini-batch x longest response: a constant of the job."""
    return torch.full_like(tokens, token_budget, dtype=torch.float64)


NORMALISERS = {"bin_tokens": bin_tokens, "all_tokens": all_tokens, "token_budget": token_budget}

_known: dict[str, type[Weighting]] = {}


def named(name: str) -> Any:
    """Class decorator: ``algorithm.daro.weighting=<name>`` chooses the class."""

    def register(cls: type[Weighting]) -> type[Weighting]:
        _known[name] = cls
        return cls

    return register


def weighting_names() -> list[str]:
    """Names of the weightings that come with the package."""
    return list(_known)


def find_weighting(name: Any) -> Weighting:
    """Find a weighting by its name, or by an import path ``package.module.Class`` (a user's own).

    Raises:
        DaroConfigError: no such name, or the path does not lead to a subclass of :class:`Weighting`.
    """
    cls: Any = _known.get(name) if isinstance(name, str) else None
    if cls is None and isinstance(name, str) and "." in name:
        module, _, attribute = name.rpartition(".")
        try:
            cls = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError, TypeError, ValueError) as error:  # the last two for ./mine.Weights
            raise _not_found(f"{name} ({error})") from error
    if not (isinstance(cls, type) and issubclass(cls, Weighting)):
        raise _not_found(name)
    try:
        weighting: Weighting = cls()
    except TypeError as error:
        expected = "no arguments, because the driver and every actor worker make their own instance"
        raise DaroConfigError(f"{name}()", got=str(error), expected=expected, fix="correct the class") from error
    _check_parts(name, weighting)
    return weighting


def bin_vectors(weighting: Weighting, num_rollouts: int) -> tuple[torch.Tensor, torch.Tensor]:
    """``w_k / weight_init`` and ``nu_k`` of every bin, [G-1] float64.

    Raises:
        DaroConfigError: a method of the weighting fails, or gives something else. A weight of 0 has no logarithm.
    """
    pass_rate = torch.arange(1, num_rollouts).double() / num_rollouts
    found = []
    for name in ("bin_weights", "contributions"):
        try:
            values: Any = getattr(weighting, name)(pass_rate.clone())
            right = values.shape == pass_rate.shape and bool((values.isfinite() & (values > 0)).all())
            got = values.tolist()
        except Exception as error:  # a user's own code may raise anything, or return anything
            right, got = False, f"{type(error).__name__}: {error}"
        if not right or not isinstance(values, torch.Tensor):
            expected = f"a tensor of {num_rollouts - 1} finite numbers > 0, one for each pass rate given"
            fix = "correct the method; to mute a bin, give it a small weight such as 0.01"
            raise DaroConfigError(f"{type(weighting).__name__}.{name}", got=got, expected=expected, fix=fix)
        found.append(values.detach().double().cpu())
    return found[0], found[1]


def _check_parts(name: object, weighting: Weighting) -> None:
    normaliser, rule, defaults = weighting.normaliser, weighting.rule, weighting.defaults
    rows = [
        (
            "normaliser",
            normaliser,
            isinstance(normaliser, str) and normaliser in NORMALISERS,
            f"one of {', '.join(NORMALISERS)}",
        ),
        (
            "rule",
            rule,
            isinstance(rule, type) and issubclass(rule, LearningRule),
            "a subclass of daro_verl.objective.LearningRule",
        ),
        (
            "defaults",
            defaults,
            isinstance(defaults, Mapping) and set(defaults) <= set(LITERAL),
            f"defaults of {', '.join(LITERAL)} only",
        ),
    ]
    for part, got, right, expected in rows:
        if not right:
            raise DaroConfigError(f"{name}.{part}", got=got, expected=expected, fix="correct the class")


def _not_found(got: object) -> DaroConfigError:
    expected = f"one of {', '.join(_known)}, or the import path of a daro_verl.advantage.Weighting"
    fix = "set +algorithm.daro.weighting=learned, or make the module importable on every node"
    return DaroConfigError("algorithm.daro.weighting", got=got, expected=expected, fix=fix)
