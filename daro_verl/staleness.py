"""How old the trajectories are that an actor update trains on, in versions of the difficulty weights.

Staleness of a trajectory = updates of the difficulty weights from the moment when the weights of the model that
produced its last token were sent to the rollout servers, until the actor update that trains on it begins. The
difficulty weights move once per optimizer step, so it is a number of optimizer steps. An actor update counts as a
whole, however many mini-batches it has: synchronous trainers have staleness 0.

verl labels what it sends to the servers with a number, which comes back with each trajectory (``max_global_steps``);
each trainer counts these labels differently, see :func:`rounds_when_sent`. Steps that were skipped (a gradient norm
that is not finite) and updates left out during a critic's warm-up count as if they had moved the weights.
"""

from typing import Any

import numpy as np


def staleness_metrics(trainer: Any, batch: Any) -> dict[str, float]:
    """``daro/staleness/mean`` and ``max`` [versions of the difficulty weights], just before ``batch`` is trained on.

    Empty where the rollout servers do not report a label.

    Args:
        trainer: any of verl's trainers.
        batch: its batch: ``KVBatchMeta`` with tags (V1), or ``DataProto`` with non-tensor columns.
    """
    versions = staleness_of(trainer, batch)
    if versions is None:
        return {}
    return {"daro/staleness/mean": float(versions.mean()), "daro/staleness/max": float(versions.max())}


def staleness_of(trainer: Any, batch: Any) -> np.ndarray | None:
    """[num_trajectories] versions, padding left out; None where a server reports no label."""
    labels = _labels(batch)
    if not labels or None in labels:
        return None
    actor, num_rollouts = trainer.config.actor_rollout_ref.actor, trainer.config.actor_rollout_ref.rollout.n
    mini_batches = -(-len(batch) // (actor.ppo_mini_batch_size * num_rollouts))
    updates_per_round = mini_batches * actor.ppo_epochs
    return updates_per_round * (rounds_done(trainer) - rounds_when_sent(trainer, np.array(labels, dtype=int)))


def _labels(batch: Any) -> list[int | None]:
    """The label of the model that produced each trajectory's last token; rows that only pad the batch are left out."""
    if hasattr(batch, "tags"):
        return [tag.get("max_global_steps") for tag in batch.tags if not tag.get("is_padding", False)]
    return list(batch.non_tensor_batch.get("max_global_steps", []))


def rounds_done(trainer: Any) -> int:
    """Actor updates (each of one or more optimizer steps) before this one, since the job's very first step."""
    if hasattr(trainer, "parameter_sync_step"):  # V1: so many in each global step
        return (trainer.global_steps - 1) * trainer.parameter_sync_step + trainer.local_trigger_step
    if hasattr(trainer, "trigger_parameter_sync_step"):  # fully_async_policy, whose global_steps skips one at a resume
        return trainer.current_param_version * trainer.trigger_parameter_sync_step + trainer.local_trigger_step - 1
    return trainer.global_steps - 1


def rounds_when_sent(trainer: Any, labels: np.ndarray) -> np.ndarray:
    """Actor updates behind the weights with each label.

    - V1 and ``main_ppo_v0``: the label is the global step just finished.
    - ``fully_async_policy``: the label counts what was sent, every ``trigger_parameter_sync_step`` updates.
    - ``one_step_off_policy``: weights are sent in the middle of a step, before its update, with the number of that
      step; only at the start of the job (or its resumption) is it the step just finished.
    """
    if hasattr(trainer, "parameter_sync_step"):
        return labels * trainer.parameter_sync_step
    if hasattr(trainer, "trigger_parameter_sync_step"):
        return labels * trainer.trigger_parameter_sync_step
    if hasattr(trainer, "_async_gen_next_batch"):
        if not hasattr(trainer, "_daro_first_label"):
            trainer._daro_first_label = rounds_done(trainer)
        return np.maximum(labels - 1, trainer._daro_first_label)
    return labels
