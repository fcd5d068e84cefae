"""The loss of a mini-batch in one micro-batch, forward and backward, with DARO and with verl's plain ``vanilla``.

DARO's side is everything that it adds to an actor's update: counting the bins, scaling the advantages, verl's loss with
its derivative for every bin's scale, and the bins' losses at the end. Times are milliseconds of processor time on one
thread, in float32. Memory is the peak of allocations. Its difference is in float32 tensors [responses, length].
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from verl.workers.config import McoreActorConfig
from verl.workers.utils.losses import ppo_loss

from benchmarks.cost.aims import Aim, largest_ratio
from benchmarks.cost.batches import loss_batch
from benchmarks.cost.memory import peak_bytes
from benchmarks.cost.timing import compare, cuda_clock, interleave, milliseconds, processor_clock
from daro_verl.workers.difficulty_weights import DifficultyWeights
from daro_verl.workers.mini_batch import MiniBatch, Ranks

TITLE = "Loss path"
SIZES = ((64, 1024, 60), (256, 3072, 12))
"""Responses, length, rounds."""
ROLLOUTS = (8, 64)
LossFunction = Callable[..., tuple[torch.Tensor, dict[str, Any]]]


def run() -> list[dict[str, Any]]:
    torch.set_num_threads(1)
    return [
        measure(*size, num_rollouts, nested) for size in SIZES for num_rollouts in ROLLOUTS for nested in (True, False)
    ]


def measure(
    num_responses: int,
    length: int,
    rounds: int,
    num_rollouts: int,
    nested: bool,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> dict[str, Any]:
    data, log_probs = loss_batch(num_responses, length, num_rollouts, nested, device, dtype)
    loss_fn = verl_loss(num_rollouts)
    paths = {
        "vanilla": partial(plain_path, loss_fn, data, log_probs),
        "daro": partial(daro_path, loss_fn, DifficultyWeights(num_rollouts), data, log_probs),
    }
    with one_rank():
        seconds = interleave(paths, rounds, clock=cuda_clock if device == "cuda" else processor_clock)
        peaks = {name: peak_bytes(path, device) for name, path in paths.items()}
    row = {"responses": num_responses, "length": length, "G": num_rollouts, "layout": "nested" if nested else "padded"}
    row |= milliseconds(seconds) | compare(seconds, "daro", "vanilla")
    row |= {f"{name} peak MiB": peak / 2**20 for name, peak in peaks.items()}
    return row | {"extra tensors": (peaks["daro"] - peaks["vanilla"]) / (4 * num_responses * length)}


def verl_loss(num_rollouts: int) -> LossFunction:
    """verl's loss function of the actor, with its policy loss ``vanilla``."""
    return partial(ppo_loss, McoreActorConfig(rollout_n=num_rollouts, ppo_micro_batch_size_per_gpu=1))


def plain_path(loss_fn: LossFunction, data: Any, log_probs: torch.Tensor) -> torch.Tensor:
    """The loss and its gradient for the log-probabilities, which is returned."""
    leaf = log_probs.detach().requires_grad_()
    loss, _ = loss_fn(model_output={"log_probs": leaf}, data=data)
    loss.backward()
    return leaf.grad


def daro_path(
    loss_fn: LossFunction, weights: DifficultyWeights, data: Any, log_probs: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The same with DARO, as its actor worker does it: gradient and ``L_k``."""
    mini_batch = MiniBatch(data, weights, Ranks(None, True, 0, data.device or "cpu"))
    gradient = plain_path(partial(mini_batch.loss, loss_fn), data, log_probs)
    return gradient, mini_batch.losses(grad_norm=1.0)[0]


class one_rank:
    """A process group of this process alone, for the one broadcast of DARO's path; none if there is one already."""

    def __enter__(self) -> None:
        self.own = not dist.is_initialized()
        if self.own:
            backend = "nccl" if torch.cuda.is_available() else "gloo"
            dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)

    def __exit__(self, *_: Any) -> None:
        if self.own:
            dist.destroy_process_group()


def aims(rows: list[dict[str, Any]]) -> list[Aim]:
    extra = max((row["extra tensors"] for row in rows), default=None)
    return [
        largest_ratio("loss path / vanilla, largest ratio", rows, 1.10),
        Aim("extra [responses, length] tensors at the peak", extra, 1.0),
    ]
