"""The actor's training worker with DARO: verl's worker, plus one weight update per optimizer step."""

import logging
from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from tensordict import TensorDict
from verl.single_controller.base.decorator import Dispatch, make_nd_compute_dataproto_dispatch_fn, register
from verl.utils import hdfs_io
from verl.utils import tensordict_utils as tu
from verl.utils.device import get_device_id
from verl.utils.metric import AggregationType, Metric
from verl.workers.engine_workers import TrainingWorker

from daro_verl.errors import DaroVerlError
from daro_verl.metric_set import selected
from daro_verl.objective import bin_label
from daro_verl.rollout.snapshot import snapshot_of
from daro_verl.workers import saved_state
from daro_verl.workers.difficulty_weights import DifficultyWeights
from daro_verl.workers.health import Health
from daro_verl.workers.homogeneity import check_homogeneity, has_advantages
from daro_verl.workers.metrics import step_metrics
from daro_verl.workers.mini_batch import MiniBatch, Ranks
from daro_verl.workers.policy_losses import HOMOGENEOUS, OF_LOG_PROBABILITIES
from daro_verl.workers.step_line import StepLine

logger = logging.getLogger(__name__)


class DaroActorWorker(TrainingWorker):
    """verl's training worker of the actor, on any of its engines. It owns the difficulty weights.

    The weights are always the same on every rank.
    """

    _ranks: Ranks
    _mini_batch: MiniBatch | None = None
    _last_step: tuple[torch.Tensor, torch.Tensor] | None = None
    """``L_k`` [G-1] and ``T_k`` [G+1] of the last mini-batch."""

    def __init__(self, config: Any, daro: Mapping[str, Any]) -> None:
        """Make verl's worker and the weights.

        Args:
            config: verl's configuration of a training worker.
            daro: ``options`` (see :class:`~daro_verl.config.DaroConfig`), ``num_rollouts``, ``token_budget`` and
                ``policy_loss`` (``loss_name``), from :func:`daro_verl.job.prepare_job`.
        """
        super().__init__(config)
        self.difficulty_weights = DifficultyWeights(daro["num_rollouts"], daro["options"], daro["token_budget"])
        self._policy_loss = daro["policy_loss"]
        self._loss_is_checked = self._policy_loss in (*HOMOGENEOUS, *OF_LOG_PROBABILITIES)
        self._exchange_metrics: dict[str, float] = {}
        self._health, self._step_line = Health(daro["num_rollouts"]), StepLine()
        if dist.get_rank() > 0:  # all ranks see the same, so only rank 0 logs it
            logging.getLogger("daro_verl.workers").setLevel(logging.ERROR)

    @register(dispatch_mode=Dispatch.ONE_TO_ALL)
    def set_loss_fn(self, loss_fn: Any) -> None:
        """Keep verl's loss function unchanged, and call it with scaled advantages in training."""
        self._ranks = Ranks.of_engine(self.engine, get_device_id())
        self._verl_loss_fn = loss_fn
        self.loss_fn = self._loss

    def _loss(self, model_output: Any = None, data: Any = None, dp_group: Any = None, **logits: Any) -> Any:
        """The loss of one micro-batch. The first one with advantages checks a loss that is not verl's.

        In a distillation verl's engines also call the loss function with ``logits``, which have no advantages.
        """
        if logits:
            return self._verl_loss_fn(data=data, **logits)
        if self._mini_batch is None:
            return self._verl_loss_fn(model_output=model_output, data=data, dp_group=dp_group)
        if not self._loss_is_checked and has_advantages(data):
            check_homogeneity(self._verl_loss_fn, model_output, data, self._policy_loss)
            self._loss_is_checked = True
        return self._mini_batch.loss(self._verl_loss_fn, model_output, data, dp_group)

    @register(dispatch_mode=make_nd_compute_dataproto_dispatch_fn(mesh_name="train"), blocking=False)
    def train_batch(self, data: TensorDict) -> TensorDict | None:
        """Take one optimizer step of the model, then one update of the difficulty weights, alike on every rank.

        If the gradient norm is not finite, no weight moves. FSDP's engine then skips the model's step. Megatron's takes
        it, and the model is lost: resume from the last checkpoint.
        """
        weights = self.difficulty_weights
        used_weights = weights.weights()
        self._mini_batch = mini_batch = MiniBatch(data, weights, self._ranks)
        try:
            output = super().train_batch(data)
        except Exception:
            _log_bins_not_finite(mini_batch.sums[1:-1], weights, "on this rank", logging.ERROR)
            raise
        finally:
            self._mini_batch = None
        metrics = tu.get(output, "metrics") if output is not None else {}
        at_ratio_one = self._policy_loss in OF_LOG_PROBABILITIES
        losses, stepped = mini_batch.losses(metrics.get("grad_norm"), at_ratio_one)
        self._last_step = losses, mini_batch.tokens
        if stepped:
            weights.step(losses, mini_batch.tokens[1:-1] > 0)
        else:
            _log_bins_not_finite(losses, weights, "over all ranks")
        self._health.look(mini_batch.counts, losses, weights)
        own = step_metrics(mini_batch, used_weights, losses, weights)
        self._step_line.add(own)  # also on a pipeline's first stage, which has no output: rank 0 logs the line
        if output is not None:
            own = own | self._exchange_metrics
            own["daro/gradient_not_finite"] = float(not stepped)
            own["daro/weight_version/max"] = Metric(AggregationType.MAX, weights.version)
            metrics |= selected(own, weights.options.metrics)
            tu.assign_non_tensor_data(output, "metrics", metrics)
        self._exchange_metrics = {}
        return output

    def difficulty_snapshot(self, global_step: int, exchange: Mapping[str, float]) -> bytes:
        """The snapshot of this actor for the rollout servers; the same on every rank.

        Args:
            global_step: verl's label of the model that the servers serve.
            exchange: outcomes of earlier snapshots, logged with the next update.
        """
        self._step_line.say(global_step)
        for name, value in exchange.items():  # more than one sync may come between two updates
            self._exchange_metrics[name] = self._exchange_metrics.get(name, 0.0) + value
        return snapshot_of(self.difficulty_weights, self._last_step, global_step).to_bytes()

    @register(dispatch_mode=Dispatch.ONE_TO_ALL)
    def save_checkpoint(
        self, local_path: str, hdfs_path: str | None = None, global_step: int = 0, max_ckpt_to_keep: int | None = None
    ) -> None:
        """Save verl's checkpoint with the difficulty weights inside. Their file marks it as complete (``saved_state``).

        With ``max_ckpt_to_keep=1``, verl removes the previous checkpoint before its trainer names the new one. A job
        killed in between could not resume. So two are kept, as many as verl has at the end of a save.
        """
        state = self.difficulty_weights.state_dict()
        self._check_ranks_agree(state["log_weights"])
        is_first = dist.get_rank() == 0
        if is_first:
            saved_state.begin(local_path, {**state, "global_step": global_step, "num_ranks": dist.get_world_size()})
        dist.barrier()
        super().save_checkpoint(local_path, hdfs_path, global_step, 2 if max_ckpt_to_keep == 1 else max_ckpt_to_keep)
        dist.barrier()
        if is_first:
            path = saved_state.finish(local_path)
            if hdfs_path is not None:
                hdfs_io.copy(src=str(path), dst=hdfs_path)

    @register(dispatch_mode=Dispatch.ONE_TO_ALL)
    def load_checkpoint(
        self, local_path: str, hdfs_path: str | None = None, del_local_after_load: bool = False
    ) -> None:
        """Load verl's checkpoint, and the difficulty weights from rank 0's file.

        If the file is missing (a job without DARO), the weights start from ``weight_init``. If it has another
        ``rollout.n``, they are interpolated. Both cases log a warning. The parallel layout may differ from the one that
        saved.

        Raises:
            DaroCheckpointError: the checkpoint is unfinished, or the file is broken or of another step.
        """
        message: list[Any] = [_read_or_error(local_path) if dist.get_rank() == 0 else None]
        dist.broadcast_object_list(message, src=0)
        state = message[0]
        if isinstance(state, Exception):
            raise state
        if state is None:
            logger.warning("No difficulty weights in %s: they start from weight_init.", local_path)
        else:
            self.difficulty_weights.load_state_dict(state)
        super().load_checkpoint(local_path, hdfs_path, del_local_after_load)

    def _check_ranks_agree(self, log_weights: torch.Tensor) -> None:
        """Raise unless every rank holds the same weights, to the last bit. A checkpoint would otherwise hide a fault.

        One all-reduce of 2 (G-1) numbers, so the cost does not grow with the number of ranks.
        """
        largest = torch.cat([log_weights, -log_weights]).to(get_device_id())
        dist.all_reduce(largest, op=dist.ReduceOp.MAX)
        highest, lowest = largest.cpu()[: len(log_weights)], -largest.cpu()[len(log_weights) :]
        if not torch.equal(highest, lowest):
            raise DaroVerlError(
                f"difficulty weights differ between ranks: ln w = {log_weights.tolist()} on rank {dist.get_rank()}, "
                f"{lowest.tolist()} to {highest.tolist()} over all ranks"
            )


def _log_bins_not_finite(
    losses: torch.Tensor, weights: DifficultyWeights, where: str, level: int = logging.WARNING
) -> None:
    """Log why no weight moves: the optimizer step, and the bins whose loss is NaN or infinite, if any."""
    bins = [bin_label(int(k) + 1, weights.num_rollouts) for k in (~losses.isfinite()).nonzero().flatten()]
    logger.log(
        level,
        "The gradient of optimizer step %d is not finite or the step failed; difficulty weights stay at version %d. "
        "Bins whose loss is not finite %s: %s.",
        weights.version + 1,
        weights.version,
        where,
        ", ".join(bins) or "none",
    )


def _read_or_error(folder: str) -> Any:
    """What rank 0 sends to the others: the state, None, or the error that all of them raise."""
    try:
        return saved_state.read(folder)
    except Exception as error:
        return error
