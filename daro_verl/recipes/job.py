"""The numbers of a job that arithmetic is about, read from verl's final configuration."""

from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf


@dataclass(frozen=True)
class Job:
    """Batches in prompts, lengths in tokens. ``max_tokens``: of a micro-batch per GPU. ``dynamic``: micro-batches are
    made by tokens. ``overlong``: length of DAPO's penalty and the longest response it knows; None without."""

    batch: int
    mini_batch: int
    rollouts: int
    prompt: int
    response: int
    max_model_len: int
    max_tokens: int
    dynamic: bool
    tp: int
    pp: int
    cp: int
    rollout_tp: int
    gpus_per_node: int
    nnodes: int
    rollout_memory: float
    offload_weights: bool
    offload_optimizer: bool
    recompute: bool
    overlong: tuple[int, int] | None

    @property
    def world(self) -> int:
        """GPUs in all."""
        return self.gpus_per_node * self.nnodes

    @property
    def dp(self) -> int:
        """Data-parallel ranks; rounded down where the ranks do not divide."""
        return self.world // (self.tp * self.pp * self.cp)


def read_job(config: DictConfig) -> Job:
    """The numbers of ``config``."""
    actor, rollout = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout
    megatron, data = actor.megatron, config.data
    return Job(
        batch=data.train_batch_size,
        mini_batch=actor.ppo_mini_batch_size,
        rollouts=rollout.n,
        prompt=data.max_prompt_length,
        response=data.max_response_length,
        max_model_len=rollout.max_model_len,
        max_tokens=actor.ppo_max_token_len_per_gpu,
        dynamic=actor.use_dynamic_bsz,
        tp=megatron.tensor_model_parallel_size,
        pp=megatron.pipeline_model_parallel_size,
        cp=megatron.context_parallel_size,
        rollout_tp=rollout.tensor_model_parallel_size,
        gpus_per_node=config.trainer.n_gpus_per_node,
        nnodes=config.trainer.nnodes,
        rollout_memory=rollout.gpu_memory_utilization,
        offload_weights=megatron.param_offload,
        offload_optimizer=megatron.optimizer_offload,
        recompute=megatron.override_transformer_config.get("recompute_granularity") == "full",
        overlong=_overlong(config),
    )


def _overlong(config: DictConfig) -> tuple[int, int] | None:
    kwargs: Any = OmegaConf.select(config, "reward.reward_kwargs")
    if kwargs is None or not OmegaConf.select(kwargs, "overlong_buffer_cfg.enable"):
        return None
    return kwargs.overlong_buffer_cfg.len, kwargs.max_resp_len
