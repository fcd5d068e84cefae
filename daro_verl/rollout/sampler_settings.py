"""The replay buffer of a DARO job, as verl's configuration names it: ``trainer.v1.sampler``.

The settings are made before any worker starts, so this module imports nothing of verl's trainers.
"""

import logging
from typing import Any

from omegaconf import DictConfig, OmegaConf

from daro_verl.config import DaroConfig
from daro_verl.errors import DaroConfigError

logger = logging.getLogger(__name__)

SEPARATE = "separate_async"
SAMPLER_PATH = "pkg://daro_verl.rollout.sampling"


def sampler_settings(config: DictConfig, options: DaroConfig) -> dict[str, Any]:
    """The settings to merge into ``trainer.v1.sampler``, so that verl builds DARO's replay buffer.

    verl gives its settings of dynamic sampling only to its own buffer. This function works them out as verl does
    (``PPOTrainer._build_replay_buffer``). They travel in ``sampler_kwargs.daro.buffer``.

    Args:
        config: the job's composed configuration.
        options: DARO's options.

    Returns:
        ``custom_sampler`` and ``sampler_kwargs``. The result is empty for trainers other than V1, and if the job names
        its own sampler. That sampler stays, and nothing is logged about what the rollout generates.

    Raises:
        DaroConfigError: verl refuses the settings of dynamic sampling.
    """
    sampler = OmegaConf.select(config, "trainer.v1.sampler")
    if sampler is None or not is_v1(config):
        return {}
    custom = dict(sampler.get("custom_sampler", None) or {})
    if any(custom.values()) and custom.get("path") != SAMPLER_PATH:
        logger.info("The job keeps its own sampler %s, so DARO neither counts nor remembers its prompts.", custom)
        return {}
    in_sync = config.trainer.v1.trainer_mode == "sync"
    return {
        "custom_sampler": {
            "path": SAMPLER_PATH,
            "name": "DifficultyReplayBuffer" if in_sync else "DifficultyReplayBufferAsync",
        },
        "sampler_kwargs": {
            "daro": {
                "num_rollouts": int(config.actor_rollout_ref.rollout.n),
                "success_threshold": options.success_threshold,
                "metrics": options.metrics,
                "scored_at_source": is_scored_at_source(config),
                "buffer": _buffer_settings(config, in_sync),
            }
        },
    }


def is_v1(config: DictConfig) -> bool:
    """Whether one of verl's V1 trainers runs the job.

    verl's experimental trainers also have ``use_v1`` and V1's default mode ``sync`` in their configuration. The node
    ``rollout``, which names the servers' devices, tells them apart. Of V1's modes, only ``separate_async`` may have it.
    """
    v1 = config.trainer.v1
    return bool(config.trainer.get("use_v1", False)) and ("rollout" not in config or v1.trainer_mode == SEPARATE)


def is_scored_at_source(config: DictConfig) -> bool:
    """Whether responses are scored before they are sampled for training. False for a reward model without devices."""
    reward_model = config.reward.reward_model
    return bool(not reward_model.enable or reward_model.enable_resource_pool)


def _buffer_settings(config: DictConfig, in_sync: bool) -> dict[str, Any]:
    """The arguments that verl gives to its own buffer, but not to a custom one."""
    metric = _filter_groups_metric(config)
    refills_failed = bool(config.trainer.v1.sampler.get("sync_refill_failed_groups", False))
    settings: dict[str, Any] = {"filter_groups_metric": metric, "sync_refill_failed_groups": refills_failed}
    if not in_sync:
        return settings
    batch_size = config.data.train_batch_size
    one_by_one = metric is not None or refills_failed
    settings["train_batch_size"] = batch_size
    settings["gen_batch_size"] = 1 if one_by_one else config.data.get("gen_batch_size", None) or batch_size
    settings["max_inflight_gen_batches"] = (
        config.algorithm.filter_groups.get("max_inflight_gen_batches", 1) if metric is not None else 1
    )
    return settings


def _filter_groups_metric(config: DictConfig) -> str | None:
    """The same as verl's ``PPOTrainer._resolve_filter_groups_metric``, before any worker starts."""
    filter_groups = config.algorithm.get("filter_groups", None)
    if filter_groups is None or not filter_groups.get("enable", False):
        return None
    metric, reward_model = filter_groups.get("metric", None), config.reward.reward_model
    if not metric:
        expected = "the name of a metric, because algorithm.filter_groups.enable=True"
        raise DaroConfigError(
            "algorithm.filter_groups.metric", got=metric, expected=expected, fix="set it, for example to reward"
        )
    if reward_model.enable and not reward_model.enable_resource_pool:
        raise DaroConfigError(
            "reward.reward_model.enable_resource_pool",
            got=False,
            expected="True with algorithm.filter_groups: a colocated reward model scores only after sampling",
            fix="set it to True, use a rule-based reward, or set algorithm.filter_groups.enable=False",
        )
    if filter_groups.get("max_num_gen_batches", 0) > 0:
        logger.warning(
            "verl's V1 trainers ignore algorithm.filter_groups.max_num_gen_batches=%s; max_inflight_gen_batches bounds "
            "the concurrent generation of a sync job.",
            filter_groups.max_num_gen_batches,
        )
    return str(metric)
