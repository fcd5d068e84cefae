"""The snapshot of an actor's difficulty weights."""

import torch

from daro_verl.rollout.snapshot import Snapshot
from daro_verl.workers.difficulty_weights import DifficultyWeights


def take_snapshot(
    weights: DifficultyWeights, last_step: tuple[torch.Tensor, torch.Tensor] | None, global_step: int
) -> Snapshot:
    """The weights as they are, to the last bit.

    Args:
        weights: of the actor.
        last_step: ``L_k`` [G-1] and ``T_k`` [G+1] of the last optimizer step; None before the first one of the process.
        global_step: verl's label of the actor's model.
    """
    G = weights.num_rollouts
    losses: list[float | None] = [None] * (G - 1)
    shares = [0.0] * (G + 1)
    if last_step is not None:
        of_step, tokens = (values.double().cpu() for values in last_step)
        known = (tokens[1:-1] > 0) & of_step.isfinite()
        losses = [loss if k else None for loss, k in zip(of_step.tolist(), known.tolist(), strict=True)]
        shares = (tokens / tokens.sum().clamp(min=1)).tolist()
    return Snapshot(
        weights.version, int(global_step), G, tuple(weights.weights().tolist()), tuple(losses), tuple(shares)
    )
