"""DARO's objective (arXiv 2510.09001), from the pass rate to the update of the weights. It needs only torch.

    L_DARO(theta, w) = sum over the bins k present of [ w_k L_k(theta) - ln w_k ]                                (paper)

``theta`` is the model. ``w_k`` is the weight of the prompts with pass rate ``k / G``, and ``L_k`` is their loss. ``G``
is ``rollout.n``. Everything is about one mini-batch, that is, one optimizer step: all of its micro-batches on all
data-parallel ranks. Tensors over all bins have ``G + 1`` entries (``k = 0 .. G``), tensors over weights ``G - 1``. This
file and ``docs/semantics.md`` say the same in the same order.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

# 1. Bins ------------------------------------------------------------------------------------------------------------


def bin_of_pass_rate(pass_rate: torch.Tensor, num_rollouts: int) -> torch.Tensor:
    """``k = round(mu G)``, int64: prompts with the same pass rate ``mu`` are one difficulty bin (paper).

    For rewards of more than two values ``mu`` is the mean reward in units of their range (ours).

    ``k = 0`` (nothing solved) and ``k = G`` (everything solved) teach nothing (paper). A group that lost responses
    keeps its own pass rate, so ``mu G`` may be no whole number. A rate strictly between 0 and 1 never rounds to 0 or G
    (ours).
    """
    k = torch.round(pass_rate * num_rollouts).long()
    inside = (pass_rate > 0) & (pass_rate < 1)
    return torch.where(inside, k.clamp(1, num_rollouts - 1), k)


def bin_label(k: int, num_rollouts: int) -> str:
    """The name of a bin in metrics: ``3of8`` is pass rate 3/8."""
    return f"{k}of{num_rollouts}"


# 2. The loss of each bin, and of the model ----------------------------------------------------------------------------
#
# T_k: response tokens of bin k (workers/bin_counts.py counts them before the model sees the batch, over all ranks).
# L_k: sum of verl's token losses of bin k / T_k (paper). ell_it = max(-rho A_i, -clip(rho) A_i) with verl's vanilla
# loss, A_i = r_i - mean(r of its prompt), rewards in units of their range (advantage/reward_range.py).


def advantage_scale(weights: torch.Tensor, denominators: torch.Tensor) -> torch.Tensor:
    """``w_k / D_k``, [G+1] float64. Times ``N`` it is ``s_k``, the factor of the advantages of bin ``k``.

    verl's ``token-mean`` divides the sum of all token losses by ``N``, the number of loss tokens of the mini-batch.
    Token losses are proportional to a positive factor of the advantage. So with ``s_k = w_k N / D_k`` verl computes

        loss = (1 / N) sum_k s_k (sum of the token losses of bin k) = sum_k w_k (T_k / D_k) L_k,

    with ``L_k = (sum of the token losses of bin k) / T_k``. DARO has ``D_k = T_k``, the bin's own response tokens
    (paper: ``Omega_mu`` is one over the tokens of the group). So the loss is ``sum_k w_k L_k``. The weights are
    constants in it, so the model's gradient is ``sum_k w_k dL_k/dtheta`` (paper).

    Args:
        weights: [G-1] ``w_k``. Bins 0 and G have weight 1, which counts only in methods that know no bins.
        denominators: [G+1] ``D_k``. It is infinite for a bin that does not count.
    """
    scale = 1 / denominators.double()
    scale[1:-1] *= weights.to(scale)
    return scale


def differentiate(
    loss: torch.Tensor, scale: torch.Tensor, outputs: Sequence[torch.Tensor]
) -> tuple[torch.Tensor, Callable[[Sequence[torch.Tensor]], torch.Tensor]]:
    """The loss's derivatives in one backward pass: for the factors ``s``, and for the model's outputs.

    The first gives the bins' losses. By the formula above, ``dloss/ds_k = (sum of the token losses of bin k) / N``,
    whatever verl computes inside. This is ``L_k`` as the derivative of the joint objective (paper).

    Args:
        loss: the loss of one micro-batch, a function of ``scale`` and ``outputs``.
        scale: [G+1] the leaf ``s``.
        outputs: leaves with the values of the model's outputs.

    Returns:
        ``dloss/ds`` [G+1], and a function that attaches ``loss``, with its gradient, to the model's own outputs.
    """
    by_bin, *gradients = torch.autograd.grad(loss, (scale, *outputs), allow_unused=True)
    value = loss.detach()
    return torch.zeros_like(scale) if by_bin is None else by_bin, lambda own: _Attached.apply(value, gradients, *own)


class _Attached(torch.autograd.Function):
    """A number with a known gradient for the tensors to which it is attached."""

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor, gradients: Sequence[torch.Tensor], *_: torch.Tensor) -> torch.Tensor:
        ctx.gradients = gradients
        return value.clone()

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return (None, None, *(None if gradient is None else upstream * gradient for gradient in ctx.gradients))


# 3. The objective, and the weights that minimise it -----------------------------------------------------------------
#
# nu_k: what a bin contributes at the minimum, w_k L_k = nu_k. In the paper it is 1, so every bin contributes the same.
# The default leans to hard prompts (advantage/weightings.py).


def objective(
    weighted_losses: torch.Tensor, weights: torch.Tensor, contributions: torch.Tensor, present: torch.Tensor
) -> float:
    """``sum over the bins present of [w_k L_k - nu_k ln w_k]`` (``nu_k = 1``: paper).

    Args:
        weighted_losses: [G-1] ``w_k L_k``.
        weights: [G-1] ``w_k``.
        contributions: [G-1] ``nu_k``.
        present: [G-1] bool.
    """
    return (weighted_losses - contributions * weights.log())[present].sum().item()


class LearningRule:
    """How the weights move after an optimizer step. This base class keeps them fixed.

    The parameters are ``ln w_k`` (ours). So weights are positive without a constraint, and a move is a factor. They are
    float64 on the CPU, so the same losses give the same weights to the last bit on every rank.

    To add a rule, override :meth:`update`. If the rule has more state than the weights, override :meth:`state` and
    :meth:`load` too. A ``Weighting`` names its rule.

    Attributes:
        start: [G-1] the weights before the first update.
        contributions: [G-1] ``nu_k``.
        options: the options, as in ``DaroConfig``.
    """

    def __init__(self, start: torch.Tensor, contributions: torch.Tensor, options: Any) -> None:
        self.start, self.contributions, self.options = start, contributions, options
        # One scalar parameter per bin: torch's Adam leaves a parameter without gradient, and its state, alone.
        self.parameters = [value.clone().requires_grad_() for value in start.log()]

    def log_weights(self) -> torch.Tensor:
        """``ln w_k`` [G-1], a copy."""
        return torch.stack(self.parameters).detach()

    def update(self, signal: torch.Tensor, present: torch.Tensor) -> None:
        """Move the weights once.

        Args:
            signal: [G-1] the loss that moves each weight: ``L_k`` of the mini-batch (paper), or its moving average.
            present: [G-1] bool. An absent bin keeps its weight and its state.
        """

    def set(self, weights: torch.Tensor, where: torch.Tensor) -> None:
        """Set the weights [G-1] of some bins."""
        with torch.no_grad():
            for k in where.nonzero().flatten().tolist():
                self.parameters[k].fill_(math.log(weights[k]))

    def bounds(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The smallest and the largest ``w_k`` [G-1]: ``weight_min`` and ``weight_max`` times the start (ours).

        If ``L_k <= 0`` for long, the objective has no minimum. Without a bound the weight would grow forever.
        """
        return self.options.weight_min * self.start, self.options.weight_max * self.start

    def minimiser(self, losses: torch.Tensor) -> torch.Tensor:
        """``w_k = nu_k / L_k`` [G-1], within the bounds. There ``dL_DARO/dw_k = L_k - nu_k / w_k`` is zero (paper).

        A bin then contributes ``w_k L_k = nu_k``, whatever its loss. This cures the loss scale issue (paper). If
        ``L_k <= 0``, the result is the upper bound.
        """
        low, high = self.bounds()
        return (self.contributions / torch.maximum(losses, self.contributions / high)).maximum(low)

    def state(self) -> dict[str, torch.Tensor]:
        """The rule's state beside the weights, each [G-1] float64."""
        return {}

    def load(self, log_weights: torch.Tensor, state: dict[str, torch.Tensor]) -> None:
        """Continue from saved weights, and from a saved :meth:`state` if it is of this rule."""
        with torch.no_grad():
            for parameter, value in zip(self.parameters, log_weights, strict=True):
                parameter.copy_(value)


class GradientRule(LearningRule):
    """The weights minimise the objective along with the model (paper), one step of Adam per optimizer step (ours).

    The gradient for ``ln w_k`` is ``w_k L_k - nu_k``, in units of ``nu_k``. Adam has torch's defaults, its own learning
    rate ``weight_lr`` and no weight decay. Each bin has its own state.
    """

    ADAM_STATE = {"adam_step": "step", "adam_exp_avg": "exp_avg", "adam_exp_avg_sq": "exp_avg_sq"}

    def __init__(self, start: torch.Tensor, contributions: torch.Tensor, options: Any) -> None:
        super().__init__(start, contributions, options)
        self._adam = torch.optim.Adam(self.parameters, lr=options.weight_lr)

    def update(self, signal: torch.Tensor, present: torch.Tensor) -> None:
        gradient = self.log_weights().exp() * signal / self.contributions - 1.0
        for k, parameter in enumerate(self.parameters):
            parameter.grad = gradient[k].clone() if present[k] else None
        self._adam.step()
        low, high = self.bounds()
        with torch.no_grad():
            for k, parameter in enumerate(self.parameters):
                parameter.clamp_(low[k].log(), high[k].log())

    def state(self) -> dict[str, torch.Tensor]:
        zero = torch.zeros((), dtype=torch.float64)
        states = [self._adam.state.get(parameter, {}) for parameter in self.parameters]
        return {
            name: torch.stack([state.get(key, zero).double() for state in states])
            for name, key in self.ADAM_STATE.items()
        }

    def load(self, log_weights: torch.Tensor, state: dict[str, torch.Tensor]) -> None:
        super().load(log_weights, state)
        for k, parameter in enumerate(self.parameters):
            self._adam.state.pop(parameter, None)
            if "adam_step" in state and state["adam_step"][k] > 0:
                own = {key: state[name][k].clone() for name, key in self.ADAM_STATE.items()}
                self._adam.state[parameter] = own | {"step": own["step"].float()}
