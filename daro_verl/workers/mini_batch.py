"""One optimizer step of DARO on one rank: count the bins, scale the loss, gather the bins' losses.

Collectives per optimizer step, each of O(G) float64 numbers:

- an all-reduce of the bins' counts, in the data-parallel group;
- an all-reduce of their loss sums, in the data-parallel group;
- a broadcast of the result to every rank.

There are none per micro-batch.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from tensordict import TensorDict

from daro_verl.advantage.pass_rates import read_pass_rates
from daro_verl.advantage.tokens import TrainingTokens
from daro_verl.objective import differentiate
from daro_verl.official import pass_rate_column
from daro_verl.workers.bin_counts import BinCounts, count_bins
from daro_verl.workers.difficulty_weights import DifficultyWeights

BINS_KEY = "daro_bins"


@dataclass(frozen=True)
class Ranks:
    """Where this rank stands in the job.

    Attributes:
        data_parallel_group: the process group over which a mini-batch is split; None if it is not split.
        has_outputs: whether this rank computes the loss (last pipeline stage, first of its tensor- and
            context-parallel peers).
        source: global rank that has the outputs of data-parallel rank 0. Every rank takes the bins' losses from it.
        device: device of the tensors that are communicated.
    """

    data_parallel_group: Any
    has_outputs: bool
    source: int
    device: torch.device | str | int

    @classmethod
    def of_engine(cls, engine: Any, device: torch.device | str | int) -> "Ranks":
        """Ask verl's engine. This is a collective call: every rank must make it."""
        has_outputs = engine.is_mp_src_rank_with_outputs()
        is_source = has_outputs and engine.get_data_parallel_rank() == 0
        source = torch.tensor(dist.get_rank() if is_source else -1, device=device)
        dist.all_reduce(source, op=dist.ReduceOp.MAX)
        return cls(engine.get_data_parallel_group(), has_outputs, int(source), device)

    def all_reduce(self, values: torch.Tensor) -> torch.Tensor:
        """Sum over the data-parallel group, in place."""
        if self.data_parallel_group is not None:
            dist.all_reduce(values, group=self.data_parallel_group)
        return values


class MiniBatch:
    """A mini-batch on its way through one optimizer step.

    Attributes:
        counts: its contents per bin, over all ranks.
        scale: [G+1] float64 ``s_k / N = w_k / D_k``.
        sums: [G+1] float64, token losses summed per bin over this rank's micro-batches so far.
    """

    def __init__(self, data: TensorDict, weights: DifficultyWeights, ranks: Ranks) -> None:
        """Count the bins over all ranks and give each response of ``data`` its bin, in the column ``daro_bins``.

        Args:
            data: this rank's part of the mini-batch, nested or padded to [num_responses, response_length]. Columns:
                ``advantages``, ``response_mask``, and ``returns`` or ``daro_pass_rate`` (the pass rate on response
                tokens).
            weights: the weights of the job.
            ranks: where this rank stands.
        """
        self.ranks = ranks
        tokens = TrainingTokens.of(data["response_mask"])
        rates = read_pass_rates(data[pass_rate_column(set(data.keys()))], tokens)
        data[BINS_KEY] = bins = rates.bins(weights.num_rollouts)
        counts = count_bins(bins, rates, data["advantages"], tokens, weights.num_rollouts).values.to(ranks.device)
        self.counts = BinCounts(ranks.all_reduce(counts))
        self.scale = weights.scale(self.counts.tokens)
        self.sums = torch.zeros_like(self.scale)

    @property
    def tokens(self) -> torch.Tensor:
        """[G+1] ``T_k`` over all ranks."""
        return self.counts.tokens

    def loss(
        self, loss_fn: Callable[..., tuple], model_output: dict[str, Any], data: TensorDict, dp_group: Any = None
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        """verl's loss of one micro-batch with scaled advantages. Its sum per bin is added to :attr:`sums`.

        Arguments and result are those of verl's loss functions. The engines average gradients over data-parallel ranks,
        so verl multiplies each rank's part by their number. The sums divide by that number again.
        """
        num_tokens, dp_size = data["batch_num_tokens"], data["dp_size"]
        scale = (self.scale * num_tokens).requires_grad_()
        own = {name: value for name, value in model_output.items() if _has_gradient(value)}
        leaves = {name: value.detach().requires_grad_() for name, value in own.items()}
        loss, metrics = loss_fn(model_output={**model_output, **leaves}, data=scaled(data, scale), dp_group=dp_group)
        by_bin, attach = differentiate(loss, scale, list(leaves.values()))
        self.sums += by_bin * (num_tokens / dp_size)
        return attach(list(own.values())), metrics

    def losses(self, grad_norm: float | None, at_ratio_one: bool = False) -> tuple[torch.Tensor, bool]:
        """``L_k`` [G-1] over all ranks (0 where absent), and whether the model's own step was taken.

        Args:
            grad_norm: the model's gradient norm, if this rank knows it. If it is not finite, the engine skips or spoils
                the step.
            at_ratio_one: whether ``L_k`` is the value of ``-rho A`` where every ratio is 1, not the loss's own value.

        Every rank returns the same bits, those of the source rank.
        """
        message = torch.zeros(self.tokens.numel() - 1, dtype=torch.float64, device=self.ranks.device)
        if self.ranks.has_outputs:
            sums = self.ranks.all_reduce(self.sums.clone())
            message[:-1] = sums[1:-1] / self.tokens[1:-1].clamp(min=1)
            if at_ratio_one:
                on_policy = self.counts.loss_on_policy()[1:-1].nan_to_num(0.0)
                message[:-1] = torch.where(message[:-1].isfinite(), on_policy, message[:-1])
            message[-1] = float(grad_norm is None or math.isfinite(grad_norm))
        dist.broadcast(message, src=self.ranks.source)
        message = message.cpu()
        return message[:-1], bool(message[-1])


def scaled(data: TensorDict, scale: torch.Tensor) -> TensorDict:
    """A shallow copy of a micro-batch whose advantages are multiplied by the ``scale`` [G+1] of their bin.

    They are padded here. verl would pad them next, and the derivative for ``scale`` is cheaper on a padded tensor.
    """
    data, advantages = data.copy(), data["advantages"]
    if advantages.is_nested:
        advantages = advantages.to_padded_tensor(0.0)
    data["advantages"] = advantages * scale[data[BINS_KEY]].to(advantages.dtype).unsqueeze(-1)
    return data


def _has_gradient(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.requires_grad
