"""Obstacle in verl's FSDP2 utilities: what they call a copy on the CPU is the tensor itself where it lives there."""

from types import ModuleType

import wrapt


def copy_saved_weights(fsdp_utils: ModuleType) -> None:
    """Let trainers that swap two versions of the model (``separate_async``, ``fully_async_policy``) keep both.

    ``fsdp2_sharded_save_to_cpu`` (verl 0.9.1) relies on ``tensor.cpu()`` to copy. Without this, the saved version
    follows the optimizer, and old log-probabilities are the current model's. Not needed once verl copies.
    """

    def save(wrapped, instance, args, kwargs):
        shards, global_spec = wrapped(*args, **kwargs)
        return {name: (shard.clone(), spec) for name, (shard, spec) in shards.items()}, global_spec

    wrapt.wrap_function_wrapper(fsdp_utils, "fsdp2_sharded_save_to_cpu", save)
