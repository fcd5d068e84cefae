"""Check of a user's own policy loss: DARO scales advantages, so the loss must be proportional to them."""

from collections.abc import Callable
from typing import Any

import torch
from tensordict import TensorDict

from daro_verl.errors import DaroConfigError
from daro_verl.workers.mini_batch import BINS_KEY, scaled
from daro_verl.workers.policy_losses import HOMOGENEOUS

TOLERANCE = 1e-3
NOISE = 0.2
"""Deviation of the noise on the log-probabilities. Without noise every ratio is 1. Then a part of the loss that does
not depend on the advantage may be zero."""


def check_homogeneity(loss_fn: Callable[..., tuple], model_output: dict[str, Any], data: TensorDict, name: str) -> None:
    """Check that the policy part of the loss doubles when all advantages are doubled.

    The policy part is ``sum_k dloss/ds_k`` at ``s = 1``, by Euler's theorem. It contains no entropy or KL terms.

    Args:
        loss_fn: verl's loss function of the actor, around the policy loss.
        model_output: the output for a micro-batch; unchanged.
        data: the micro-batch, with bins and advantages that are not all 0; unchanged.
        name: name of the policy loss.

    Raises:
        DaroConfigError: it does not double, so DARO cannot train the job.
    """
    output = {**model_output, "log_probs": _with_noise(model_output["log_probs"])}
    factor = torch.ones(int(data[BINS_KEY].max()) + 1, dtype=torch.float64, device=data[BINS_KEY].device)
    factor.requires_grad_()
    once, _ = loss_fn(model_output=output, data=scaled(data, factor))
    (by_bin,) = torch.autograd.grad(once, factor)
    with torch.no_grad():
        twice, _ = loss_fn(model_output=output, data=scaled(data, 2 * factor))
    added, policy_part = (twice - once).item(), by_bin.sum().item()
    if not abs(added - policy_part) <= TOLERANCE * max(by_bin.abs().sum().item(), abs(added)):  # NaN is refused too
        raise DaroConfigError(
            f"policy loss {name!r}",
            got=f"{added:.6g} more when all advantages are doubled",
            expected=f"{policy_part:.6g} more: token losses proportional to the advantage",
            fix=f"set actor_rollout_ref.actor.policy_loss.loss_mode to one of {', '.join(HOMOGENEOUS)}, or correct it",
        )


def has_advantages(data: TensorDict) -> bool:
    """Whether any advantage is not 0. Without one, every loss doubles."""
    advantages: Any = data["advantages"]  # torch's stubs know no values of a nested tensor
    return bool((advantages.values() if advantages.is_nested else advantages).any())


def _with_noise(log_probs: torch.Tensor) -> torch.Tensor:
    """Add fixed noise, drawn without touching the job's random numbers."""
    log_probs = log_probs.detach()
    nested: Any = log_probs  # torch's stubs know no offsets
    flat = log_probs.values() if log_probs.is_nested else log_probs
    noise = torch.randn(flat.shape, generator=torch.Generator().manual_seed(0)).to(flat)
    moved = flat + NOISE * noise
    if log_probs.is_nested:
        return torch.nested.nested_tensor_from_jagged(moved, nested.offsets())
    return moved
