"""DARO as a verl policy loss: any loss of verl, summed by difficulty bin instead of over all tokens.

verl's policy losses compute one loss per token and give it to ``core_algos.agg_loss``. Inside DARO's loss, and only
there, that last step is taken by :class:`~daro_verl.workers.bin_loss.BinLoss`. The token losses stay verl's (clipping,
dual clip, importance weights), and so do the entropy and KL terms, which are added outside.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
import wrapt
from verl.trainer.ppo.core_algos import get_policy_loss_fn, register_policy_loss
from verl.workers.config import PolicyLossConfig

from daro_verl.errors import DaroSeamError, got_expected_fix
from daro_verl.job import POLICY_LOSS_NAME
from daro_verl.workers.bin_loss import BinLoss


@dataclass
class DaroPolicyLossConfig(PolicyLossConfig):
    """verl's policy-loss options and DARO's own, as :func:`daro_verl.job.prepare_job` hands them to the workers.

    ``daro`` holds ``options`` (see :class:`~daro_verl.config.DaroConfig`), ``num_rollouts`` and ``base_loss_mode``,
    the policy loss that the job would run without DARO.
    """

    daro: dict[str, Any] = field(default_factory=dict)


@dataclass
class _MicroBatch:
    """What the sum over one micro-batch needs besides the token losses."""

    bin_loss: BinLoss
    bins: torch.Tensor
    in_policy_loss: bool = False


_micro_batch: ContextVar[_MicroBatch | None] = ContextVar("daro_micro_batch", default=None)


@contextmanager
def reweighted(bin_loss: BinLoss, bins: torch.Tensor) -> Iterator[None]:
    """Within it, DARO's policy loss knows the micro-batch's bins [num_responses] and where to sum them."""
    token = _micro_batch.set(_MicroBatch(bin_loss, bins))
    try:
        yield
    finally:
        _micro_batch.reset(token)


@register_policy_loss(POLICY_LOSS_NAME)
def compute_policy_loss_daro(
    old_log_prob: torch.Tensor,
    log_prob: torch.Tensor,
    advantages: torch.Tensor,
    response_mask: torch.Tensor,
    loss_agg_mode: str = "token-mean",
    config: Any = None,
    rollout_is_weights: torch.Tensor | None = None,
) -> tuple[torch.Tensor, dict[str, Any]]:
    """``sum_k w_k L_k`` of one micro-batch (see ``bin_loss``), from the token losses of ``base_loss_mode``.

    Arguments and result are those of every policy loss of verl; log-probabilities, advantages and mask are
    [num_responses, response_length].

    Raises:
        DaroSeamError: called outside DARO's actor worker, or the base loss does not end in one ``agg_loss``.
    """
    micro_batch = _micro_batch.get()
    if micro_batch is None:
        raise DaroSeamError(
            got_expected_fix(
                "policy loss 'daro'",
                "a call outside DARO's actor worker",
                "a call from DaroActorWorker.train_batch",
                "leave actor_rollout_ref.actor.policy_loss.loss_mode alone and set algorithm.adv_estimator=daro",
            )
        )
    base_loss_mode = config.policy_loss.daro["base_loss_mode"]
    calls_before, micro_batch.in_policy_loss = micro_batch.bin_loss.num_calls, True
    try:
        result = get_policy_loss_fn(base_loss_mode)(
            old_log_prob=old_log_prob,
            log_prob=log_prob,
            advantages=advantages,
            response_mask=response_mask,
            loss_agg_mode=loss_agg_mode,
            config=config,
            rollout_is_weights=rollout_is_weights,
        )
    finally:
        micro_batch.in_policy_loss = False
    num_calls = micro_batch.bin_loss.num_calls - calls_before
    if num_calls != 1:
        raise DaroSeamError(
            got_expected_fix(
                f"policy loss {base_loss_mode!r} under DARO",
                f"{num_calls} calls of agg_loss",
                "exactly 1",
                "end the loss in core_algos.agg_loss(loss_mat=..., loss_mask=...), called through the module "
                "verl.trainer.ppo.core_algos (a name imported earlier is not DARO's)",
            )
        )
    return result


@wrapt.patch_function_wrapper("verl.trainer.ppo.core_algos", "agg_loss")
def _agg_loss(agg_loss: Callable[..., torch.Tensor], _instance: Any, args: tuple, kwargs: dict) -> torch.Tensor:
    """verl's own sum over tokens, except inside DARO's policy loss."""
    micro_batch = _micro_batch.get()
    if micro_batch is None or not micro_batch.in_policy_loss:
        return agg_loss(*args, **kwargs)
    return _sum_by_bin(micro_batch, *args, **kwargs)


def _sum_by_bin(
    micro_batch: _MicroBatch, loss_mat: torch.Tensor, loss_mask: torch.Tensor, *_: Any, dp_size: int = 1, **__: Any
) -> torch.Tensor:
    return micro_batch.bin_loss(loss_mat, loss_mask, micro_batch.bins, dp_size)
