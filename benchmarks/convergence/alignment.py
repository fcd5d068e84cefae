"""A learned form of another kind. The weights follow the direction that helps, not the value of the loss.

    ln w_k <- ln w_k + weight_lr (a_k - mean of a over the bins present),   a_k = cos(g_k, sum over j != k of g_j)

``g_k`` is the gradient in the model's last layer of the objective that counts every bin by its tokens: the sum of
``A log pi`` over the responses of bin ``k``. A small step along ``g_k`` changes the objective of the other bins by the
product of the two gradients. This takes one more backward pass of the last layer per bin. It is not a weighting,
because it sees gradients.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from benchmarks.convergence.update import MicroBatches, Update
from daro_verl.advantage import Learned
from daro_verl.objective import LearningRule
from daro_verl.workers.mini_batch import BINS_KEY


class Held(LearningRule):
    """The weights are moved from outside, by :class:`AlignedUpdate`."""


class Aligned(Learned):
    """Starts at ``mu^-1/2``, as the default does."""

    rule = Held


class AlignedUpdate(Update):
    """Optimizer steps after which the weights follow the alignment of the bins' gradients."""

    def __init__(self, last_layer: nn.Parameter, *args: Any) -> None:
        super().__init__(*args)
        self._last_layer = last_layer

    def step(
        self,
        data: dict[str, torch.Tensor],
        micro_batches: MicroBatches,
        take_step: Callable[[], float],
    ) -> dict[str, float]:
        """As :meth:`Update.step`, and the weights move."""
        gradients = torch.zeros(self.weights.num_rollouts + 1, self._last_layer.numel())
        metrics = super().step(data, self._watched(data, micro_batches, gradients), take_step)
        inner = gradients[1:-1].double()
        present = inner.abs().sum(1) > 0
        moves = alignment(inner, present) * self.weights.options.weight_lr
        low, high = self.weights.bounds()
        self.weights.rule.set((self.weights.weights() * moves.exp()).clamp(low, high), present)
        return metrics

    def _watched(
        self,
        data: Mapping[str, torch.Tensor],
        micro_batches: MicroBatches,
        gradients: torch.Tensor,
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The micro-batches; what each adds to the bins' ``gradients`` [G+1, parameters] on the way."""
        for rows, log_prob in micro_batches:
            bins = data[BINS_KEY][rows]
            objective = (data["advantages"][rows] * data["response_mask"][rows] * log_prob).sum(1)
            for k in bins.unique().tolist():
                (own,) = torch.autograd.grad(objective[bins == k].sum(), self._last_layer, retain_graph=True)
                gradients[k] += own.flatten()
            yield rows, log_prob


def alignment(gradients: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """``a_k`` less its mean over the bins present, [bins], from ``g`` [bins, parameters]; zero where absent."""
    others = gradients.sum(0) - gradients
    cosines = torch.cosine_similarity(gradients, others, dim=1)
    return torch.where(present, cosines - cosines[present].mean(), 0.0)
