"""A method as a weight per difficulty: what every weighting defines, and how one is found by its name."""

import importlib
from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from daro_verl.advantage.groups import PromptGroups
from daro_verl.errors import DaroConfigError, got_expected_fix


class Weighting:
    """One method in the paper's unified view, with centred advantages ``A_i = r_i - mean(r of its prompt)``:

        loss = sum over bins k of (w_k / D_k) * sum over the responses i of bin k and their tokens t of ell_it(f_p A_i)

    A subclass says what ``f``, ``w`` and ``D`` are; the rest is the same for all methods. It has no state and no
    arguments, because the driver and every actor worker make their own. Its docstring is its formula and source.
    """

    learns: ClassVar[str | None] = None
    """How ``w`` moves after each optimizer step: None, ``adam`` or ``closed_form`` (``DifficultyWeights``)."""

    normaliser: ClassVar[str] = "bin_tokens"
    """Which ``D_k``: a key of :data:`NORMALISERS`."""

    defaults: ClassVar[Mapping[str, Any]] = {}
    """Options of ``algorithm.daro`` that differ from those of ``DaroConfig`` where the user sets none."""

    def advantage_factor(self, groups: PromptGroups) -> torch.Tensor:
        """``f_p``, [num_prompts] float64, from the rewards of the whole batch (driver)."""
        return torch.ones_like(groups.pass_rate)

    def bin_weights(self, pass_rate: torch.Tensor) -> torch.Tensor:
        """``w_k``, [G-1] float64, from ``mu = k / G``; of a weighting that learns, relative to ``weight_init``."""
        return torch.ones_like(pass_rate)


def bin_tokens(tokens: torch.Tensor, token_budget: float, power: float | None = 0.0) -> torch.Tensor:
    """``D_k = T_k / c_k`` with ``c_k = n share_k^power / sum_j share_j^power``, over the ``n`` bins 1 .. G-1 present.

    ``share_k`` is the bin's share of their tokens. Power 0 is the paper's token mean of each bin, ``D_k = T_k``; with
    power 1, ``D_k = (tokens of all informative bins) / n``: every token counts alike. The ``c_k`` sum to ``n``. With
    None, ``c_k`` is the bin's share of all response tokens, those of bins 0 and G too: a mini-batch that teaches little
    has a small loss.
    """
    inside = tokens.double().clone()
    inside[0] = inside[-1] = 0
    present = inside > 0
    if power is None:
        return torch.where(present, all_tokens(tokens, token_budget), torch.inf)
    share = torch.where(present, inside, 1.0) ** power * present
    factor = share * present.sum() / share.sum().clamp(min=1e-300)
    return torch.where(present, inside / factor, torch.inf)


def all_tokens(tokens: torch.Tensor, token_budget: float, power: float | None = 0.0) -> torch.Tensor:
    """``D_k = sum_j T_j``, all response tokens of the mini-batch, also of bins 0 and G (verl's ``token-mean``)."""
    return torch.full_like(tokens, tokens.sum().clamp(min=1).item(), dtype=torch.float64)


def token_budget(tokens: torch.Tensor, token_budget: float, power: float | None = 0.0) -> torch.Tensor:
    """``D_k`` = responses of a mini-batch x longest response: a constant of the job."""
    return torch.full_like(tokens, token_budget, dtype=torch.float64)


NORMALISERS = {"bin_tokens": bin_tokens, "all_tokens": all_tokens, "token_budget": token_budget}
"""``D`` [G+1] float64 from the bins' tokens ``T`` [G+1] of the mini-batch; infinite where a bin does not count."""

_known: dict[str, type[Weighting]] = {}


def named(name: str) -> Any:
    """Class decorator: the weighting is ``algorithm.daro.weighting=<name>``."""

    def register(cls: type[Weighting]) -> type[Weighting]:
        _known[name] = cls
        return cls

    return register


def weighting_names() -> list[str]:
    """Names of the weightings that come with the package."""
    return list(_known)


def find_weighting(name: str) -> Weighting:
    """The weighting of a name, or of an import path ``package.module.Class`` (a user's own).

    Raises:
        DaroConfigError: no such name, or the path does not lead to a subclass of :class:`Weighting`.
    """
    cls: Any = _known.get(name)
    if cls is None and "." in str(name):
        module, _, attribute = name.rpartition(".")
        try:
            cls = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise _not_found(f"{name} ({error})") from error
    if not (isinstance(cls, type) and issubclass(cls, Weighting)):
        raise _not_found(name)
    for attribute, known in {"normaliser": tuple(NORMALISERS), "learns": (None, "adam", "closed_form")}.items():
        if (value := getattr(cls, attribute)) not in known:
            expected, fix = f"one of {', '.join(map(str, known))}", "correct the class"
            raise DaroConfigError(got_expected_fix(f"{name}.{attribute}", value, expected, fix))
    return cls()


def _not_found(got: object) -> DaroConfigError:
    expected = f"one of {', '.join(_known)}, or the import path of a daro_verl.advantage.Weighting"
    fix = "set +algorithm.daro.weighting=learned, or make the module importable on every node"
    return DaroConfigError(got_expected_fix("algorithm.daro.weighting", got, expected, fix))
