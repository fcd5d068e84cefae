"""Fingerprints of everything that training changes on a rank."""

import hashlib
from collections.abc import Iterable
from typing import Any

import torch

from daro_verl.workers.actor_worker import DaroActorWorker


def state_of(worker: DaroActorWorker) -> dict[str, Any]:
    """SHA-256 of the model and of the optimizer on this rank, and the difficulty weights' state to the last bit."""
    return {
        "model": _digest(p for chunk in worker.engine.module for p in chunk.parameters()),
        "optimizer": _digest(_optimizer_tensors(worker.engine.optimizer)),
        "difficulty_weights": {
            name: [x.hex() for x in value.tolist()] if isinstance(value, torch.Tensor) else value
            for name, value in worker.difficulty_weights.state_dict().items()
        },
    }


def _optimizer_tensors(optimizer: Any) -> Iterable[torch.Tensor]:
    """Main parameters, Adam's moments and steps, and the learning rates, of each optimizer that Megatron chains."""
    for one in getattr(optimizer, "chained_optimizers", [optimizer]):
        for group in one.optimizer.param_groups:
            yield torch.tensor([group["lr"], group["weight_decay"]], dtype=torch.float64)
            for parameter in group["params"]:
                yield parameter
                state = one.optimizer.state.get(parameter, {})
                yield from (torch.as_tensor(state[name]) for name in sorted(state))


def _digest(tensors: Iterable[torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
