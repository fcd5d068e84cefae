"""The learnable weight of each difficulty bin, and how one update moves it."""

import logging
import math
from collections.abc import Mapping
from typing import Any

import torch

from daro_verl.config import DaroConfig
from daro_verl.errors import DaroCheckpointError, got_expected_fix
from daro_verl.workers.interpolation import interpolate_state

logger = logging.getLogger(__name__)

STATE_FORMAT = 1


class DifficultyWeights:
    """Weights ``w_k > 0`` of the bins ``k = 1 .. G-1``, minimising ``sum over bins present of [w_k L_k - ln w_k]``.

    ``learned`` (the paper's objective; parameterisation and optimizer are ours): the parameters are ``s_k = ln w_k``,
    so ``d/ds_k = w_k L_k - 1``, and each has its own torch Adam state. A bin that is absent from a mini-batch keeps its
    weight and its Adam state untouched. ``s_k`` is clamped to ``[ln weight_min, ln weight_max]`` after every update.

    ``closed_form`` (ours): ``w_k = 1 / EMA(L_k)``, the exact minimiser, clamped; ``weight_max`` where the average is
    not positive. ``uniform``: the weights never move.

    The state lives as long as the actor worker and is saved with its checkpoint. All of it is float64 on the CPU: the
    same losses give the same weights to the last bit on every rank.
    """

    def __init__(self, num_rollouts: int, config: DaroConfig | Mapping[str, Any] | None = None) -> None:
        """Args:
        num_rollouts: ``G = rollout.n``, at least 2.
        config: DARO's options, or a mapping of them.
        """
        if num_rollouts < 2:
            raise ValueError(got_expected_fix("num_rollouts", num_rollouts, "at least 2", "set rollout.n=8"))
        self.config = config if isinstance(config, DaroConfig) else DaroConfig.from_mapping(config)
        self.num_rollouts = num_rollouts
        self.version = 0
        """Number of updates so far: one per optimizer step of the model."""
        num_bins = num_rollouts - 1
        start = math.log(self.config.weight_init)
        # One scalar parameter per bin: torch's Adam leaves a parameter without gradient, and its state, alone.
        self._log_weights = [torch.full((), start, dtype=torch.float64, requires_grad=True) for _ in range(num_bins)]
        self._adam = torch.optim.Adam(self._log_weights, lr=self.config.weight_lr)
        self.num_updates = torch.zeros(num_bins, dtype=torch.float64)
        """[G-1], how often each bin was present."""
        self.num_not_positive = torch.zeros(num_bins, dtype=torch.float64)
        """[G-1], how often each bin was present with ``L_k <= 0``."""
        self.loss_average = torch.zeros(num_bins, dtype=torch.float64)
        """[G-1], exponential moving average of ``L_k`` with zero start; used by ``closed_form``."""

    def weights(self) -> torch.Tensor:
        """``w_k``, [G-1] float64; a copy."""
        return torch.stack(self._log_weights).detach().exp()

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
        self.num_updates += present
        self.num_not_positive += present & (losses <= 0)
        if self.config.weighting == "learned":
            self._step_adam(losses, present)
        elif self.config.weighting == "closed_form":
            self._step_closed_form(losses, present)
        self.version += 1

    def _step_adam(self, losses: torch.Tensor, present: torch.Tensor) -> None:
        gradient = self.weights() * losses - 1.0
        for k, log_weight in enumerate(self._log_weights):
            log_weight.grad = gradient[k].clone() if present[k] else None
        self._adam.step()
        with torch.no_grad():
            for log_weight in self._log_weights:
                log_weight.clamp_(math.log(self.config.weight_min), math.log(self.config.weight_max))

    def _step_closed_form(self, losses: torch.Tensor, present: torch.Tensor) -> None:
        decay = self.config.loss_ema_decay
        self.loss_average = torch.where(present, decay * self.loss_average + (1 - decay) * losses, self.loss_average)
        average = self.loss_average / (1 - decay**self.num_updates)  # NaN where the bin was never present
        weights = (1 / average.clamp(min=1 / self.config.weight_max)).clamp(min=self.config.weight_min)
        with torch.no_grad():
            for k in present.nonzero().flatten().tolist():
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
            "loss_average": self.loss_average.clone(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state_dict`, bit for bit. ``weight_lr`` and the clamps stay this job's own.

        A state of another ``rollout.n`` is interpolated over the pass rate (:mod:`~daro_verl.workers.interpolation`),
        with a warning that shows both sets of weights.

        Raises:
            DaroCheckpointError: the state is of another format, incomplete, or holds values that are not finite.
        """
        check_state(state)
        if state["num_rollouts"] != self.num_rollouts:
            saved, state = state, interpolate_state(state, self.num_rollouts, self.config.loss_ema_decay)
            logger.warning(
                "rollout.n was %d when the difficulty weights were saved and is %d now: "
                "interpolated over the pass rate, from %s to %s.",
                saved["num_rollouts"],
                self.num_rollouts,
                _shown(saved),
                _shown(state),
            )
        if state["weighting"] != self.config.weighting:
            logger.warning(
                "Difficulty weights saved with weighting=%s go on with weighting=%s.",
                state["weighting"],
                self.config.weighting,
            )
        for k, log_weight in enumerate(self._log_weights):
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
        self.loss_average = state["loss_average"].clone()


def check_state(state: Mapping[str, Any]) -> None:
    """Raise DaroCheckpointError unless ``state`` is a whole :meth:`DifficultyWeights.state_dict` with finite values."""

    def problem(name: str, got: object, expected: str) -> DaroCheckpointError:
        fix = "resume from an earlier checkpoint, or delete the file to start from weight_init"
        return DaroCheckpointError(got_expected_fix(f"saved difficulty weights, {name}", got, expected, fix))

    if state.get("format") != STATE_FORMAT:
        raise problem("format", state.get("format"), str(STATE_FORMAT))
    num_rollouts = state.get("num_rollouts")
    if not isinstance(num_rollouts, int) or num_rollouts < 2:
        raise problem("num_rollouts", num_rollouts, "an integer of at least 2")
    for name, own in DifficultyWeights(num_rollouts).state_dict().items():
        got = state.get(name)
        if not isinstance(own, torch.Tensor):
            if type(got) is not type(own):
                raise problem(name, got, f"a value of type {type(own).__name__}")
        elif not isinstance(got, torch.Tensor) or got.shape != own.shape or not got.isfinite().all():
            raise problem(name, got.tolist() if isinstance(got, torch.Tensor) else got, f"{len(own)} finite numbers")


def _shown(state: Mapping[str, Any]) -> str:
    weights = state["log_weights"].exp().tolist()
    return "{" + ", ".join(f"{k}of{len(weights) + 1}: {w:.4g}" for k, w in enumerate(weights, start=1)) + "}"
