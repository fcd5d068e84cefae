"""The weight of each difficulty bin, and how one update moves it."""

import logging
import math
from collections.abc import Mapping
from typing import Any

import torch

from daro_verl.advantage.weighting import NORMALISERS, find_weighting
from daro_verl.config import DaroConfig
from daro_verl.errors import got_expected_fix
from daro_verl.workers.bin_loss import response_scale
from daro_verl.workers.interpolation import MOMENTS_DECAY, interpolate_state
from daro_verl.workers.weights_state import STATE_FORMAT, check_state, shown

logger = logging.getLogger(__name__)


class DifficultyWeights:
    """Weights ``w_k > 0`` of the bins ``k = 1 .. G-1``, minimising ``sum over bins present of [w_k L_k - ln w_k]``.

    ``learned`` (the paper's objective; parameterisation and optimizer are ours): the parameters are ``s_k = ln w_k``,
    so ``d/ds_k = w_k L_k - 1``, and each has its own torch Adam state. A bin that is absent from a mini-batch keeps its
    weight and its Adam state untouched. ``s_k`` is clamped to ``[ln weight_min, ln weight_max]`` after every update.

    ``closed_form`` (ours): ``w_k = 1 / EMA(L_k)``, the exact minimiser, clamped; ``weight_max`` where the average is
    not positive. The weights of all other weightings never move.

    The state lives as long as the actor worker and is saved with its checkpoint. All of it is float64 on the CPU: the
    same losses give the same weights to the last bit on every rank.
    """

    def __init__(
        self, num_rollouts: int, config: DaroConfig | Mapping[str, Any] | None = None, token_budget: float = 1.0
    ) -> None:
        """Args:
        num_rollouts: ``G = rollout.n``, at least 2.
        config: DARO's options, or a mapping of them.
        token_budget: responses of a mini-batch x longest response, for the weightings that divide by it.
        """
        if num_rollouts < 2:
            raise ValueError(got_expected_fix("num_rollouts", num_rollouts, "at least 2", "set rollout.n=8"))
        self.config = config if isinstance(config, DaroConfig) else DaroConfig.from_mapping(config)
        self.weighting = find_weighting(self.config.weighting)
        self.num_rollouts, self.token_budget = num_rollouts, token_budget
        self.version = 0
        """Number of updates so far: one per optimizer step of the model."""
        pass_rate = torch.arange(1, num_rollouts).double() / num_rollouts
        self._start = (self.config.weight_init * self.weighting.bin_weights(pass_rate)).log()
        # One scalar parameter per bin: torch's Adam leaves a parameter without gradient, and its state, alone.
        self._log_weights = [value.clone().requires_grad_() for value in self._start]
        self._adam = torch.optim.Adam(self._log_weights, lr=self.config.weight_lr)
        self.num_updates = torch.zeros(num_rollouts - 1, dtype=torch.float64)
        """[G-1], how often each bin was present."""
        self.num_not_positive = torch.zeros_like(self.num_updates)
        """[G-1], how often each bin was present with ``L_k <= 0``."""
        self._loss_average = torch.zeros_like(self.num_updates)
        self._loss_moments = torch.zeros(2, num_rollouts - 1, dtype=torch.float64)

    def weights(self) -> torch.Tensor:
        """``w_k``, [G-1] float64; a copy."""
        with torch.no_grad():
            return torch.stack(self._log_weights).exp()

    def response_scale(self, tokens: torch.Tensor) -> torch.Tensor:
        """The factor ``w_k / D_k`` of a response's summed token loss, [G+1] float64 on the device of ``tokens``.

        Args:
            tokens: [G+1] ``T_k`` of the mini-batch over all ranks.
        """
        weights, present = self.weights().to(tokens.device), tokens[1:-1] > 0
        if self.config.weight_scale == "mean_one" and present.any():
            weights = weights / weights[present].mean()
        normaliser = NORMALISERS[self.weighting.normaliser]
        return response_scale(weights, normaliser(tokens, self.token_budget, self.config.bin_scale_power))

    def loss_average(self) -> torch.Tensor:
        """Bias-corrected moving average of ``L_k`` (``loss_ema_decay``), [G-1]; NaN for a bin never present."""
        return self._loss_average / (1 - self.config.loss_ema_decay**self.num_updates)

    def loss_signal_to_noise(self) -> torch.Tensor:
        """Mean over deviation of ``L_k``, [G-1], over about the last 50 updates of the bin; NaN before its second.

        Below about 1 the sign of a single ``L_k`` says little, and so does a weight that follows it.
        """
        mean, square = self._loss_moments / (1 - MOMENTS_DECAY**self.num_updates)
        ratio = mean / (square - mean**2).clamp(min=1e-24).sqrt()
        return torch.where(self.num_updates > 1, ratio, torch.nan)

    def step(self, losses: torch.Tensor, present: torch.Tensor) -> None:
        """Update once, with the losses of one mini-batch over all ranks. Counts as a version even if no bin moves.

        Args:
            losses: [G-1] ``L_k``, the token mean of the bin's loss; ignored where absent.
            present: [G-1] bool, whether the bin has tokens in the mini-batch.

        A loss that is not finite leaves its bin untouched and is logged with the bin and the version.
        """
        losses, present = losses.detach().double().cpu(), present.bool().cpu()
        lost = present & ~losses.isfinite()
        for k in (lost.nonzero().flatten() + 1).tolist():
            logger.warning(
                "Loss of bin %d of %d is %s in optimizer step %d: its weight keeps.",
                k,
                self.num_rollouts,
                losses[k - 1].item(),
                self.version + 1,
            )
        present = present & ~lost
        self._count(losses, present)
        if self.weighting.learns == "adam":
            self._learn(losses, present)
        elif self.weighting.learns == "closed_form":
            self._set(self._minimiser(self.loss_average()), present)
        self.version += 1

    def _count(self, losses: torch.Tensor, present: torch.Tensor) -> None:
        def follow(average: torch.Tensor, values: torch.Tensor, decay: float) -> torch.Tensor:
            return torch.where(present, decay * average + (1 - decay) * values, average)

        self.num_updates += present
        self.num_not_positive += present & (losses <= 0)
        self._loss_average = follow(self._loss_average, losses, self.config.loss_ema_decay)
        self._loss_moments = follow(self._loss_moments, torch.stack([losses, losses**2]), MOMENTS_DECAY)

    def _learn(self, losses: torch.Tensor, present: torch.Tensor) -> None:
        """One step of Adam on ``w_k signal_k - ln w_k`` for each bin present."""
        signal = self.loss_average() if self.config.loss_signal == "average" else losses
        if self.config.not_positive == "skip":
            present = present & (signal > 0)
        elif self.config.not_positive == "floor":
            signal = signal.clamp(min=1 / self.config.weight_max)
        elif self.config.not_positive == "absolute":
            signal = signal.abs()
        if self.config.weight_start == "first_loss":
            # With "skip" the first loss that may move the weight, which need not be the first one.
            first = present & (self._untouched() if self.config.not_positive == "skip" else self.num_updates == 1)
            self._set(self._minimiser(signal), first)
            present = present & ~first
        gradient = self.weights() * signal - 1.0
        for k, log_weight in enumerate(self._log_weights):
            log_weight.grad = gradient[k].clone() if present[k] else None
        self._adam.step()
        with torch.no_grad():
            for log_weight in self._log_weights:
                log_weight.clamp_(math.log(self.config.weight_min), math.log(self.config.weight_max))

    def _untouched(self) -> torch.Tensor:
        """[G-1] bool, the bins whose weight is where it began and was never moved by Adam."""
        never = torch.tensor([not self._adam.state.get(log_weight) for log_weight in self._log_weights])
        return never & (torch.stack(self._log_weights).detach() == self._start)

    def _minimiser(self, losses: torch.Tensor) -> torch.Tensor:
        """``1 / L_k`` within the clamps, ``weight_max`` where ``L_k <= 0``."""
        return (1 / losses.clamp(min=1 / self.config.weight_max)).clamp(min=self.config.weight_min)

    def _set(self, weights: torch.Tensor, where: torch.Tensor) -> None:
        with torch.no_grad():
            for k in where.nonzero().flatten().tolist():
                self._log_weights[k].fill_(math.log(weights[k]))

    def state_dict(self) -> dict[str, Any]:
        """Everything that an exact resume needs, as tensors [G-1] and plain values."""
        adam = torch.zeros(3, len(self._log_weights), dtype=torch.float64)
        for k, log_weight in enumerate(self._log_weights):
            state = self._adam.state.get(log_weight)
            if state:
                adam[:, k] = torch.stack([state[name].double() for name in ("step", "exp_avg", "exp_avg_sq")])
        return {
            "format": STATE_FORMAT,
            "num_rollouts": self.num_rollouts,
            "weighting": self.config.weighting,
            "version": self.version,
            "log_weights": torch.stack(self._log_weights).detach(),
            "adam_step": adam[0],
            "adam_exp_avg": adam[1],
            "adam_exp_avg_sq": adam[2],
            "num_updates": self.num_updates.clone(),
            "num_not_positive": self.num_not_positive.clone(),
            "loss_average": self._loss_average.clone(),
            "loss_mean": self._loss_moments[0].clone(),
            "loss_square": self._loss_moments[1].clone(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state_dict`, bit for bit. ``weight_lr`` and the clamps stay this job's own.

        A state of another ``rollout.n`` is interpolated over the pass rate (:mod:`~daro_verl.workers.interpolation`),
        with a warning that shows both sets of weights. The weights of a weighting that does not learn are its own.

        Raises:
            DaroCheckpointError: the state is of another format, incomplete, or holds values that are not finite.
        """
        check_state(state, lambda num_rollouts: DifficultyWeights(num_rollouts).state_dict())
        if state["num_rollouts"] != self.num_rollouts:
            saved, state = state, interpolate_state(state, self.num_rollouts, self.config.loss_ema_decay)
            logger.warning(
                "rollout.n was %d when the difficulty weights were saved and is %d now: "
                "interpolated over the pass rate, from %s to %s.",
                saved["num_rollouts"],
                self.num_rollouts,
                shown(saved),
                shown(state),
            )
        if state["weighting"] != self.config.weighting:
            logger.warning(
                "Difficulty weights saved with weighting=%s go on with weighting=%s.",
                state["weighting"],
                self.config.weighting,
            )
        for k, log_weight in enumerate(self._log_weights):
            if self.weighting.learns is None:
                break
            with torch.no_grad():
                log_weight.copy_(state["log_weights"][k])
            self._adam.state.pop(log_weight, None)
            if state["adam_step"][k] > 0:
                self._adam.state[log_weight] = {
                    "step": state["adam_step"][k].float().clone(),
                    "exp_avg": state["adam_exp_avg"][k].clone(),
                    "exp_avg_sq": state["adam_exp_avg_sq"][k].clone(),
                }
        self.version = int(state["version"])
        self.num_updates = state["num_updates"].clone()
        self.num_not_positive = state["num_not_positive"].clone()
        self._loss_average = state["loss_average"].clone()
        self._loss_moments = torch.stack([state["loss_mean"], state["loss_square"]])
