"""Which problems of a finite training set a run generates for, by the package's own memory, rules and sampler."""

from collections.abc import Callable
from copy import deepcopy
from itertools import islice
from typing import Any

import numpy as np

from benchmarks.convergence.runs import Run
from benchmarks.convergence.streams import ORDER, torch_seed
from daro_verl.prompts.memory import DifficultyMemory
from daro_verl.prompts.sampler import PromptSampler
from daro_verl.prompts.selection import (
    BAND,
    CHOICES,
    INFORMATIVE,
    UNIFORM,
    Acceptance,
    band,
    chances,
    informative,
    informative_probability,
)


class ChosenPrompts:
    """Passes through the training set, in which problems are accepted or left out.

    Every method keeps the memory, so that its predictions are recorded for all of them; ``uniform`` does not use it.
    The order of a pass is the seed's, whatever the method: with ``uniform`` all see the same problems in each round,
    unless they sample dynamically, which goes through the passes faster.

    Attributes:
        memory: what is known of each problem, whose id is its place in the set.
        left_out: problems that were left out so far.
    """

    def __init__(self, run: Run, weights: Callable[[], np.ndarray]) -> None:
        """At the start of the first pass.

        Args:
            weights: gives the difficulty weights ``w_k`` [G-1] as they are now.
        """
        self.memory, self.left_out, self._group_size = DifficultyMemory(), 0, run.regime.group_size
        accept = acceptance(run, weights)

        def accept_places(places: np.ndarray) -> np.ndarray:
            return chances(self.memory, self.memory.rows(places), accept)

        seed = torch_seed(run.seed, ORDER)
        sampler = PromptSampler(run.regime.num_problems, accept_places, lambda: self.memory.version, seed, self._skip)
        self._walk = iter(sampler)

    def take(self, number: int) -> dict[str, np.ndarray]:
        """The next problems [number]: their ``place``, the ``pass``, and what is ``predicted``: whether their group
        will be informative.
        """
        taken = [(place, self._walk.number) for place in islice(self._walk, number)]
        places, passes = np.array(taken).T
        posterior = self.memory.predict(self.memory.rows(places))
        return {"place": places, "pass": passes, "predicted": informative_probability(posterior, self._group_size)}

    def observe(self, places: np.ndarray, successes: np.ndarray, step: int) -> None:
        """Take in the groups of one batch: ``successes`` [n] of ``G`` responses."""
        sizes = np.full(len(places), float(self._group_size))
        self.memory.observe(places, ["toy"] * len(places), successes.astype(float), sizes, step)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the further choices depend on."""
        return {"memory": deepcopy(vars(self.memory)), "walk": self._walk.state_dict(), "left_out": self.left_out}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self.memory).update(deepcopy(state["memory"]))
        self._walk.load_state_dict(state["walk"])
        self.left_out = state["left_out"]

    def _skip(self, number: int) -> None:
        self.left_out += number


def acceptance(run: Run, weights: Callable[[], np.ndarray]) -> Acceptance:
    """The rule of the run's method."""
    rules: dict[str, Callable[[], Acceptance]] = {
        UNIFORM: lambda: lambda posterior: np.ones(len(posterior.alpha)),
        INFORMATIVE: lambda: informative(run.regime.group_size, weights),
        BAND: lambda: band(*run.method.band),
    }
    return rules[run.method.prompts]()


def chosen_prompts(run: Run, weights: Callable[[], np.ndarray]) -> ChosenPrompts | None:
    """None in a regime with fresh problems in every round, of which nothing can be known."""
    if run.method.prompts not in CHOICES:
        raise ValueError(f"prompts: got {run.method.prompts}, expected one of {', '.join(CHOICES)}.")
    if run.regime.num_problems is not None:
        return ChosenPrompts(run, weights)
    if run.method.prompts != UNIFORM:
        raise ValueError(f"{run.label}: {run.method.prompts} needs a finite training set; set Regime.num_problems.")
    return None
