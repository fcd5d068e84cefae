"""Which prompts are worth generating for: the probability of accepting each one, from its predicted pass rate.

A pass goes through all prompts in a random order and accepts each with a probability of its own (``sampler.py``):

    uniform:      1
    informative:  f + (1 - f) min(1, V(posterior) / V*)^2
    band:         1 where low <= E[mu] <= high, else f
    never seen:   1, whatever the rule

``V = sum over k = 1 .. G-1 of P(k) w_k`` is the chance that the next group of ``G`` responses has both right and wrong
ones, each bin weighted by DARO's difficulty weight ``w_k`` (ours). ``P`` is beta-binomial. ``V*`` is the largest ``V``
of a known pass rate. ``f = 0.1`` is the floor of exploration (``FLOOR``), so no prompt is forgotten, however hopeless
it looks.
"""

from collections.abc import Callable

import numpy as np
import torch

from daro_verl.prompts.memory import DifficultyMemory, Posterior

FLOOR = 0.1
"""A prompt that looks worthless is generated for in every tenth pass."""
UNIFORM, INFORMATIVE, BAND = "uniform", "informative", "band"
CHOICES = (UNIFORM, INFORMATIVE, BAND)

Acceptance = Callable[[Posterior], np.ndarray]
"""Turns the posteriors of N prompts into probabilities [N]."""


def bin_probabilities(posterior: Posterior, num_rollouts: int) -> np.ndarray:
    """``P(k) = C(G, k) B(alpha + k, beta + G - k) / B(alpha, beta)`` [N, G+1]: ``k`` successes in the next group."""
    k = torch.arange(num_rollouts + 1, dtype=torch.float64)
    alpha, beta = torch.from_numpy(posterior.alpha)[:, None], torch.from_numpy(posterior.beta)[:, None]
    total = torch.tensor(float(num_rollouts), dtype=torch.float64)
    ways = torch.lgamma(total + 1) - torch.lgamma(k + 1) - torch.lgamma(total - k + 1)
    return (ways + _log_beta(alpha + k, beta + total - k) - _log_beta(alpha, beta)).exp().numpy()


def informative_probability(posterior: Posterior, num_rollouts: int) -> np.ndarray:
    """``1 - P(0) - P(G)`` [N]: the chance that the next group has both right and wrong responses."""
    return bin_probabilities(posterior, num_rollouts)[:, 1:-1].sum(axis=1)


def informative(num_rollouts: int, weights: Callable[[], np.ndarray]) -> Acceptance:
    """The acceptance of ``informative``.

    Args:
        num_rollouts: ``G``.
        weights: returns the current ``w_k`` [G-1].
    """
    rates = np.linspace(0, 1, 101)[1:-1] * 1e6
    known = bin_probabilities(Posterior(rates, 1e6 - rates), num_rollouts)[:, 1:-1]

    def accept(posterior: Posterior) -> np.ndarray:
        now = weights()
        value = bin_probabilities(posterior, num_rollouts)[:, 1:-1] @ now
        return FLOOR + (1 - FLOOR) * np.minimum(1, value / (known @ now).max()) ** 2

    return accept


def band(low: float, high: float) -> Acceptance:
    """The acceptance of ``band``: 1 for predicted pass rates within the bounds, both included."""
    return lambda posterior: np.where((posterior.mean >= low) & (posterior.mean <= high), 1.0, FLOOR)


def chances(memory: DifficultyMemory, rows: np.ndarray, accept: Acceptance) -> np.ndarray:
    """The probabilities [N] of the prompts in these rows of the memory; 1 for prompts that were never seen."""
    return np.where(memory.seen(rows), accept(memory.predict(rows)), 1.0)


def _log_beta(alpha: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
    return torch.lgamma(alpha) + torch.lgamma(beta) - torch.lgamma(alpha + beta)
