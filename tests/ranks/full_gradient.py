"""The model's whole gradient from a sharded engine, for comparison with one process."""

from typing import Any

import torch
import torch.distributed as dist


def full_gradient(engine: Any) -> dict[str, torch.Tensor]:
    """The gradient before the optimizer's step, merged over ranks and named as in the Hugging Face model."""
    module = engine.module
    if isinstance(module, torch.nn.Module):  # FSDP2: sharded tensors that know their whole
        return {name: p.grad.full_tensor().clone() for name, p in module.named_parameters() if p.requires_grad}
    for chunk in module:
        gather_shards(chunk)
    return exported_gradients(engine, [p for chunk in module for p in chunk.parameters()])


def gather_shards(chunk: Any) -> None:
    """With the distributed optimizer each data-parallel rank holds one reduced shard of every bucket."""
    for buffer in chunk.buffers:
        for bucket in buffer.buckets:
            shards = bucket.grad_data.view(buffer.data_parallel_world_size, -1)
            own = shards[dist.get_rank(buffer.data_parallel_group)].clone()
            dist.all_gather_into_tensor(bucket.grad_data, own, group=buffer.data_parallel_group)


def exported_gradients(engine: Any, parameters: list[torch.nn.Parameter]) -> dict[str, torch.Tensor]:
    """The bridge exports parameters, so the gradients take their places for the time of an export."""
    kept = [p.data.clone() for p in parameters]
    for p in parameters:
        p.data.copy_(p.main_grad)
    exported = {name: value.clone() for name, value in engine.get_per_tensor_param()[0]}
    for p, value in zip(parameters, kept, strict=True):
        p.data.copy_(value)
    return exported
