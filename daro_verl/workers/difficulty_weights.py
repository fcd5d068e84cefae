"""The difficulty weights of a job: how an optimizer step uses them, how they move, and how they are saved."""

import logging
from collections.abc import Mapping
from typing import Any

import torch

from daro_verl.advantage.weighting import bin_vectors, find_weighting
from daro_verl.config import DaroConfig
from daro_verl.errors import DaroConfigError
from daro_verl.objective import advantage_scale
from daro_verl.workers.interpolation import interpolate_state
from daro_verl.workers.loss_history import LossHistory
from daro_verl.workers.saved_state import STATE_FORMAT, check_state, shown

logger = logging.getLogger(__name__)


class DifficultyWeights:
    """Weights ``w_k > 0`` of the bins ``k = 1 .. G-1``, moved by the weighting's rule (``objective.py``).

    The state lives as long as the actor worker and is saved with its checkpoint. All of it is float64 on the CPU, so
    the same losses give the same weights to the last bit on every rank.

    Attributes:
        version: number of updates so far, one per optimizer step of the model.
        rule: holds the weights, and moves them.
        history: averages and counts of the bins' losses.
    """

    def __init__(
        self, num_rollouts: int, options: DaroConfig | Mapping[str, Any] | None = None, token_budget: float = 1.0
    ) -> None:
        """Start the weights.

        Args:
            num_rollouts: ``G = rollout.n``, at least 2.
            options: DARO's options, or a mapping of them.
            token_budget: responses of a mini-batch x longest response, for weightings that divide by it.
        """
        if num_rollouts < 2:
            raise DaroConfigError("num_rollouts", got=num_rollouts, expected="at least 2", fix="set rollout.n=8")
        self.options = options if isinstance(options, DaroConfig) else DaroConfig.from_mapping(options)
        self.weighting = find_weighting(self.options.weighting)
        self.num_rollouts, self.token_budget, self.version = num_rollouts, token_budget, 0
        start, contributions = bin_vectors(self.weighting, num_rollouts)
        self.rule = self.weighting.rule(self.options.weight_init * start, contributions, self.options)
        self.history = LossHistory(num_rollouts - 1, self.options.loss_ema_decay)

    @property
    def learns(self) -> bool:
        """Whether the weights ever move."""
        return self.weighting.learns

    @property
    def contributions(self) -> torch.Tensor:
        """``nu_k``, [G-1] float64."""
        return self.rule.contributions

    def bounds(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The smallest and the largest ``w_k`` that an update allows, each [G-1] float64."""
        return self.rule.bounds()

    def at_bound(self) -> torch.Tensor:
        """Which weights are at a bound, [G-1] bool. None are if the weighting does not learn."""
        (low, high), w = self.bounds(), self.weights()
        return ((w <= low * (1 + 1e-9)) | (w >= high * (1 - 1e-9))) & self.learns

    def weights(self) -> torch.Tensor:
        """``w_k``, [G-1] float64; a copy."""
        return self.rule.log_weights().exp()

    def scale(self, tokens: torch.Tensor) -> torch.Tensor:
        """``s_k / N = w_k / D_k``, [G+1] float64: the advantages of bin ``k`` are multiplied by ``s_k``.

        Args:
            tokens: [G+1] ``T_k`` of the mini-batch over all ranks.
        """
        denominators = self.weighting.denominators(tokens, self.token_budget)
        return advantage_scale(self.weights().to(tokens.device), denominators)

    def step(self, losses: torch.Tensor, present: torch.Tensor) -> None:
        """Update once, with the losses of one mini-batch over all ranks. It counts as a version even if no bin moves.

        Args:
            losses: [G-1] ``L_k``; ignored where absent.
            present: [G-1] bool, whether the bin has tokens in the mini-batch.

        If a loss is not finite, its bin does not move. The log names the bin and the optimizer step.
        """
        losses, present = losses.detach().double().cpu(), present.bool().cpu()
        not_finite = present & ~losses.isfinite()
        for k in (not_finite.nonzero().flatten() + 1).tolist():
            logger.warning(
                "Loss of bin %d of %d is %s in optimizer step %d: its weight stays as it is.",
                k,
                self.num_rollouts,
                losses[k - 1].item(),
                self.version + 1,
            )
        present = present & ~not_finite
        self.history.follow(losses, present)
        signal = self.history.average() if self.options.loss_signal == "average" else losses
        self.rule.update(signal, present)
        self.version += 1

    def state_dict(self) -> dict[str, Any]:
        """Everything for an exact resume, as tensors [G-1] and plain values."""
        return {
            "format": STATE_FORMAT,
            "num_rollouts": self.num_rollouts,
            "weighting": self.options.weighting,
            "version": self.version,
            "loss_ema_decay": float(self.options.loss_ema_decay),
            "log_weights": self.rule.log_weights(),
            **self.rule.state(),
            **self.history.state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state_dict`, bit for bit. ``weight_lr`` and the clamps stay those of this job.

        A state of another ``rollout.n`` is interpolated over the pass rate (:mod:`~daro_verl.workers.interpolation`).
        A warning then shows both sets of weights. A weighting that does not learn keeps its own weights.

        Raises:
            DaroCheckpointError: the state has another format, is incomplete, or holds values that are not finite.
        """
        state = {"loss_ema_decay": float(self.options.loss_ema_decay), **state}  # earlier files have none
        check_state(state, lambda G, weighting: DifficultyWeights(G, {"weighting": weighting}).state_dict())
        if state["num_rollouts"] != self.num_rollouts:
            saved, state = state, interpolate_state(state, self.num_rollouts)
            logger.warning(
                "rollout.n was %d when the difficulty weights were saved and is %d now: "
                "interpolated over the pass rate, from %s to %s.",
                saved["num_rollouts"],
                self.num_rollouts,
                shown(saved),
                shown(state),
            )
        if state["weighting"] != self.options.weighting:
            logger.warning(
                "Difficulty weights saved with weighting=%s go on with weighting=%s.",
                state["weighting"],
                self.options.weighting,
            )
        if self.learns:
            self.rule.load(state["log_weights"], {name: state[name] for name in self.rule.state() if name in state})
        self.version = int(state["version"])
        self.history.load(state)
