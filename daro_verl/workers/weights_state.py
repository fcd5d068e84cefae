"""A saved state of difficulty weights: whether it is whole, and how it reads in a log line."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from daro_verl.advantage.bins import bin_label
from daro_verl.errors import DaroCheckpointError, got_expected_fix

STATE_FORMAT = 2
"""2 has the moments of ``L_k``, which 1 lacks."""


def check_state(state: Mapping[str, Any], make_state: Callable[[int], Mapping[str, Any]]) -> None:
    """Raise DaroCheckpointError unless ``state`` is a whole :meth:`DifficultyWeights.state_dict` with finite values.

    Args:
        make_state: a fresh state for a given ``rollout.n``.
    """

    def problem(name: str, got: object, expected: str) -> DaroCheckpointError:
        fix = "resume from an earlier checkpoint, or delete the file to start from weight_init"
        return DaroCheckpointError(got_expected_fix(f"saved difficulty weights, {name}", got, expected, fix))

    if state.get("format") != STATE_FORMAT:
        raise problem("format", state.get("format"), str(STATE_FORMAT))
    num_rollouts = state.get("num_rollouts")
    if not isinstance(num_rollouts, int) or num_rollouts < 2:
        raise problem("num_rollouts", num_rollouts, "an integer of at least 2")
    for name, own in make_state(num_rollouts).items():
        got = state.get(name)
        if not isinstance(own, torch.Tensor):
            if type(got) is not type(own):
                raise problem(name, got, f"a value of type {type(own).__name__}")
        elif not isinstance(got, torch.Tensor) or got.shape != own.shape or not got.isfinite().all():
            raise problem(name, got.tolist() if isinstance(got, torch.Tensor) else got, f"{len(own)} finite numbers")


def shown(state: Mapping[str, Any]) -> str:
    """The weights of a state by bin."""
    weights = enumerate(state["log_weights"].exp().tolist(), start=1)
    return "{" + ", ".join(f"{bin_label(k, state['num_rollouts'])}: {weight:.4g}" for k, weight in weights) + "}"
