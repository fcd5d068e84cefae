"""A whole verl job, checked and prepared for DARO before any worker starts.

verl's entry points call ``verl.utils.config.validate_config`` with the composed configuration; the seam in
``seams.py`` calls :func:`prepare_job` first. Only a job with ``algorithm.adv_estimator=daro`` is touched.
"""

import logging
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from daro_verl.config import DaroConfig
from daro_verl.errors import DaroConfigError, got_expected_fix
from daro_verl.refusals import job_problems, sampling_problems, weighting_problems, weighting_warnings
from daro_verl.resume import repair_tracker

logger = logging.getLogger(__name__)

ESTIMATOR_NAME = "daro"
POLICY_LOSS_NAME = "daro"
POLICY_LOSS_TARGET = "daro_verl.workers.policy_loss.DaroPolicyLossConfig"


def wants_daro(config: DictConfig) -> bool:
    """Whether the job asks for DARO."""
    return OmegaConf.select(config, "algorithm.adv_estimator") == ESTIMATOR_NAME


def prepare_job(config: DictConfig, use_critic: bool = False) -> None:
    """Refuse what cannot work with DARO, then hand DARO's options to the actor workers, in place.

    Afterwards ``algorithm.daro`` holds every option and ``num_rollouts`` (the driver's estimator reads it), and
    ``actor_rollout_ref.actor.policy_loss`` names DARO's loss around the job's own one (the workers read that).
    Calling it again changes nothing. Where the job may resume, verl's tracker file is put in order (``resume.py``).

    Args:
        config: the job's composed configuration.
        use_critic: whether verl decided that the job trains a critic.

    Raises:
        DaroConfigError: with every problem that was found, each as got, expected and fix.
        DaroCheckpointError: which checkpoint the job would resume from cannot be told.
    """
    if not wants_daro(config):
        if OmegaConf.select(config, "algorithm.daro") is not None:
            logger.warning("algorithm.daro.* is set, but algorithm.adv_estimator is not daro: the options do nothing.")
        return
    problems = job_problems(config, use_critic)
    try:
        given = _user_options(config)
        options = DaroConfig.from_mapping(given)
        problems += weighting_problems(config, options) + sampling_problems(config, options)
    except DaroConfigError as error:
        problems.append(str(error))
    if problems:
        raise DaroConfigError("DARO cannot train this job:\n" + "\n".join(f"- {line}" for line in problems))
    if not _is_prepared(config):
        for warning in weighting_warnings(config, options, given):
            logger.warning(warning)
    _hand_over(config, options)
    folder = OmegaConf.select(config, "trainer.default_local_dir")
    if folder and OmegaConf.select(config, "trainer.resume_mode") == "auto":
        repair_tracker(folder)


def _is_prepared(config: DictConfig) -> bool:
    return config.actor_rollout_ref.actor.policy_loss.get("daro") is not None


def _user_options(config: DictConfig) -> dict[str, Any]:
    """``algorithm.daro`` as the user wrote it, without what an earlier call of :func:`prepare_job` added."""
    node = OmegaConf.select(config, "algorithm.daro")
    if node is None:
        return {}
    if not isinstance(node, DictConfig):
        raise DaroConfigError(
            got_expected_fix("algorithm.daro", node, "options by name", "use +algorithm.daro.<option>=<value>")
        )
    options = dict(OmegaConf.to_container(node, resolve=True))
    if _is_prepared(config):
        options.pop("num_rollouts", None)
    return options


def _hand_over(config: DictConfig, options: DaroConfig) -> None:
    num_rollouts = int(config.actor_rollout_ref.rollout.n)
    policy_loss = config.actor_rollout_ref.actor.policy_loss
    base_loss_mode = OmegaConf.select(policy_loss, "daro.base_loss_mode", default=policy_loss.loss_mode)
    if base_loss_mode == POLICY_LOSS_NAME:  # named by the user: DARO reweights verl's default loss then
        base_loss_mode = "vanilla"
    with open_dict(config):
        config.algorithm.daro = {**options.to_dict(), "num_rollouts": num_rollouts}
        policy_loss._target_ = POLICY_LOSS_TARGET
        policy_loss.loss_mode = POLICY_LOSS_NAME
        policy_loss.daro = {
            "options": options.to_dict(),
            "num_rollouts": num_rollouts,
            "token_budget": _token_budget(config),
            "base_loss_mode": base_loss_mode,
        }


def _token_budget(config: DictConfig) -> int:
    """Responses of a mini-batch x longest response: the constant that Dr.GRPO divides by."""
    actor = config.actor_rollout_ref.actor
    longest = actor.get("loss_scale_factor") or config.data.max_response_length
    return int(actor.ppo_mini_batch_size * config.actor_rollout_ref.rollout.n * longest)
