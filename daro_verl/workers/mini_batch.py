"""One optimizer step of DARO on one rank: count, train, gather the bins' losses, update the weights.

Collectives per optimizer step, all of O(G) float64 numbers: an all-reduce of the bins' counts and one of their loss
sums (data-parallel group), and one broadcast of the result to every rank. None per micro-batch.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from tensordict import TensorDict

from daro_verl.advantage.bins import response_bins
from daro_verl.advantage.tokens import TrainingTokens
from daro_verl.workers.bin_counts import BinCounts, count_bins
from daro_verl.workers.bin_loss import BinLoss
from daro_verl.workers.difficulty_weights import DifficultyWeights

BINS_KEY = "daro_bins"


@dataclass(frozen=True)
class Ranks:
    """Where this rank stands in the job.

    Attributes:
        data_parallel_group: the process group over which a mini-batch is split; None if it is not split.
        has_outputs: whether this rank computes the loss (last pipeline stage, first of its tensor- and
            context-parallel peers).
        source: global rank that has the outputs of data-parallel rank 0; every rank takes the bins' losses from it.
        device: of the tensors that are communicated.
    """

    data_parallel_group: Any
    has_outputs: bool
    source: int
    device: torch.device | str | int

    @classmethod
    def of_engine(cls, engine: Any, device: torch.device | str | int) -> "Ranks":
        """Ask verl's engine. A collective call: every rank must make it."""
        has_outputs = engine.is_mp_src_rank_with_outputs()
        is_source = has_outputs and engine.get_data_parallel_rank() == 0
        source = torch.tensor(dist.get_rank() if is_source else -1, device=device)
        dist.all_reduce(source, op=dist.ReduceOp.MAX)
        return cls(engine.get_data_parallel_group(), has_outputs, int(source), device)

    def add_up(self, values: torch.Tensor) -> torch.Tensor:
        """Sum over the data-parallel group, in place."""
        if self.data_parallel_group is not None:
            dist.all_reduce(values, group=self.data_parallel_group)
        return values


class MiniBatch:
    """A mini-batch on its way through one optimizer step.

    Attributes:
        counts: what it holds per bin, over all ranks.
        scale: [G+1] float64, ``w_k / D_k``: the factor of a response's summed token loss.
        bin_loss: sums the token losses of this rank's micro-batches.
    """

    def __init__(self, data: TensorDict, weights: DifficultyWeights, ranks: Ranks) -> None:
        """Count the bins over all ranks and give each response of ``data`` its bin, in the column ``daro_bins``.

        Args:
            data: this rank's part of the mini-batch, with ``advantages``, ``returns`` (the pass rate on response
                tokens, see :func:`~daro_verl.advantage.response_bins`) and ``response_mask``, nested or padded to
                [num_responses, response_length].
        """
        self.ranks = ranks
        trains = TrainingTokens.of(data["response_mask"])
        bins, success = response_bins(data["returns"], trains, weights.num_rollouts)
        data[BINS_KEY] = bins
        counts = count_bins(bins, success, data["advantages"], trains, weights.num_rollouts).values.to(ranks.device)
        self.counts = BinCounts(ranks.add_up(counts))
        self.scale = weights.response_scale(self.counts.tokens)
        self.bin_loss = BinLoss(self.scale)

    @property
    def tokens(self) -> torch.Tensor:
        """[G+1] ``T_k`` over all ranks."""
        return self.counts.tokens

    def losses(self, grad_norm: float | None) -> tuple[torch.Tensor, bool]:
        """``L_k`` [G-1] over all ranks (0 where absent), and whether the model's own step was taken.

        Args:
            grad_norm: of the model, where this rank knows it; engines skip or spoil a step whose norm is not finite.

        Every rank returns the same bits: those of the source rank.
        """
        message = torch.zeros(self.tokens.numel() - 1, dtype=torch.float64, device=self.ranks.device)
        if self.ranks.has_outputs:
            sums = self.ranks.add_up(self.bin_loss.sums.clone())
            message[:-1] = sums[1:-1] / self.tokens[1:-1].clamp(min=1)
            message[-1] = float(grad_norm is None or math.isfinite(grad_norm))
        dist.broadcast(message, src=self.ranks.source)
        message = message.cpu()
        return message[:-1], bool(message[-1])
