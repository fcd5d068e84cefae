"""A whole verl job, checked and prepared for DARO before any worker starts.

verl's entry points call ``verl.utils.config.validate_config`` with the composed configuration. The hook in ``seams.py``
calls :func:`prepare_job` first. Only a job with ``algorithm.adv_estimator=daro`` is changed.
"""

import logging
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from daro_verl.advantage.reward_range import AUTO
from daro_verl.advantage.reward_range import FILE_NAME as REWARDS
from daro_verl.config import DaroConfig, wants_daro
from daro_verl.errors import DaroConfigError
from daro_verl.misplaced import misplaced_problems
from daro_verl.official import name_classes
from daro_verl.prompts.selection import UNIFORM
from daro_verl.refusals import job_problems, number_problems, prompts_problems, weighting_problems, weighting_warnings
from daro_verl.resume import check_data_order, repair_tracker, resumed_from
from daro_verl.rollout.sampler_settings import sampler_settings
from daro_verl.workers.policy_losses import loss_name

logger = logging.getLogger(__name__)

Checkpoints = tuple[Path, int, Path | None]
CALLBACK = "daro_verl.prompts.in_verl.MemoryCheckpoint"
"""The class that verl calls after each checkpoint. It then calls the job's own callback class."""


def prepare_job(config: DictConfig, use_critic: bool = False) -> None:
    """Refuse what cannot work with DARO, then hand DARO's options to the job's processes, in place.

    Afterwards the configuration has:

    - in ``algorithm.daro``, every option, ``num_rollouts``, ``rewards`` and ``prompt_memory``, for the driver;
    - in ``actor_rollout_ref.daro``, what the actor workers read;
    - in ``trainer.v1.sampler``, the replay buffer that counts by difficulty, unless the job names its own;
    - in ``trainer.checkpoint_callback_class``, the class that saves this buffer's memory;
    - in ``data.daro``, what the sampler reads, if the job chooses its prompts;
    - further classes, if verl has a place for them (``official.py``).

    Another call changes nothing. If the job may resume, verl's tracker file is repaired (``resume.py``).

    Args:
        config: the job's composed configuration.
        use_critic: whether verl decided that the job trains a critic.

    Raises:
        DaroConfigError: the job cannot work with DARO, or nearly asks for DARO but does not (``misplaced.py``). The
            message has every problem, each as got, expected and fix.
        DaroCheckpointError: the checkpoint from which the job would resume is unknown.
    """
    problems = misplaced_problems(config, is_prepared(config))
    if not wants_daro(config):
        if problems:
            raise DaroConfigError.of(problems, heading="DARO would not train this job:")
        return
    numbers = number_problems(config)
    problems += numbers + job_problems(config, use_critic)
    try:
        given = _user_options(config)
        options = DaroConfig.from_mapping(given)
        if not numbers:
            problems += weighting_problems(config, options)
            sampler = sampler_settings(config, options)
            problems += prompts_problems(config, options, bool(sampler))
    except DaroConfigError as error:
        problems += error.problems
    if problems:
        raise DaroConfigError.of(problems, heading="DARO cannot train this job:")
    if not is_prepared(config):
        for warning in weighting_warnings(config, options, given):
            logger.warning(warning)
    folder = OmegaConf.select(config, "trainer.default_local_dir")
    if folder and OmegaConf.select(config, "trainer.resume_mode") == "auto":
        repair_tracker(folder)
    checkpoints = _checkpoints(config)
    _, step, resumed = checkpoints
    if resumed:
        check_data_order(resumed / f"global_step_{step}", is_chosen=options.prompts != UNIFORM)
    _hand_over(config, options, sampler, checkpoints)


def is_prepared(config: DictConfig) -> bool:
    """Whether :func:`prepare_job` has already prepared this configuration."""
    return OmegaConf.select(config, "actor_rollout_ref.daro.options.weighting") is not None


def _user_options(config: DictConfig) -> dict[str, Any]:
    """``algorithm.daro`` as the user wrote it, without what an earlier call of :func:`prepare_job` added."""
    node = OmegaConf.select(config, "algorithm.daro")
    if node is None:
        return {}
    if not isinstance(node, DictConfig):
        fix = "use +algorithm.daro.<option>=<value>"
        raise DaroConfigError("algorithm.daro", got=node, expected="options by name", fix=fix)
    options: dict[str, Any] = dict(OmegaConf.to_container(node, resolve=True))  # type: ignore[arg-type]
    if is_prepared(config):
        for name in ("num_rollouts", "rewards", "prompt_memory"):
            options.pop(name, None)
    return options


def _hand_over(config: DictConfig, options: DaroConfig, sampler: dict[str, Any], checkpoints: Checkpoints) -> None:
    import verl

    num_rollouts = int(config.actor_rollout_ref.rollout.n)
    with open_dict(config):
        rewards, memory = _rewards(config, options, checkpoints), _prompt_memory(config, checkpoints)
        own = {"num_rollouts": num_rollouts, "rewards": rewards, "prompt_memory": memory}
        config.algorithm.daro = {**options.to_dict(), **own}
        config.actor_rollout_ref.daro = {
            "options": options.to_dict(),
            "num_rollouts": num_rollouts,
            "token_budget": _token_budget(config),
            "policy_loss": loss_name(config),
        }
        if sampler:
            sampler["sampler_kwargs"]["daro"] |= {"rewards": rewards, "prompt_memory": memory}
            OmegaConf.update(config, "trainer.v1.sampler", sampler, merge=True)
            config.trainer.checkpoint_callback_class = CALLBACK
        if options.prompts != UNIFORM:
            chosen = {"prompts": options.prompts, "prompt_band": list(options.prompt_band)}
            config.data.daro = {**chosen, "num_rollouts": num_rollouts, "memory": memory}
            config.data.dataloader_num_workers = 0  # with workers, prompts are chosen long before their turn
        name_classes(config, verl.__path__[0])


def _checkpoints(config: DictConfig) -> Checkpoints:
    """The folder of the job's checkpoints, and :func:`~daro_verl.resume.resumed_from`."""
    folder = Path(OmegaConf.select(config, "trainer.default_local_dir") or ".").absolute()
    return folder, *resumed_from(config, folder)


def _rewards(config: DictConfig, options: DaroConfig, checkpoints: Checkpoints) -> dict[str, Any]:
    """Where the job saves its rewards' range, and the estimate from which it goes on (``advantage/reward_range.py``).

    verl estimates advantages once in a step, but several times in its trainers ``separate_async`` and
    ``fully_async_policy``, which name a checkpoint after the syncs of the weights.
    """
    folder, step, resumed = checkpoints
    mode = OmegaConf.select(config, "trainer.v1.trainer_mode")
    names = ("async_training.trigger_parameter_sync_step", f"trainer.v1.{mode}.parameter_sync_step")
    per_step = next((number for name in names if (number := OmegaConf.select(config, name))), 1)
    return {
        "file": str(folder / REWARDS),
        "resumed_file": str(resumed / REWARDS) if resumed else None,
        "step": step * per_step,
        "given": options.to_dict()["reward_range"] if options.reward_range != AUTO else None,
    }


def _prompt_memory(config: DictConfig, checkpoints: Checkpoints) -> dict[str, Any]:
    """Where the job saves its memory of prompts, and the step from which it goes on (``prompts/job_memory.py``)."""
    folder, step, resumed = checkpoints
    files = config.data.train_files
    callback = config.trainer.get("checkpoint_callback_class", None)
    if callback == CALLBACK:
        callback = config.algorithm.daro.prompt_memory.checkpoint_callback_class
    return {
        "folder": str(folder),
        "resumed": str(resumed) if resumed else None,
        "step": step,
        "train_files": [files] if isinstance(files, str) else list(files or []),
        "checkpoint_callback_class": callback,
    }


def _token_budget(config: DictConfig) -> int:
    """Responses of a mini-batch x longest response: the constant that Dr.GRPO divides by."""
    actor = config.actor_rollout_ref.actor
    longest = actor.get("loss_scale_factor") or config.data.max_response_length
    return int(actor.ppo_mini_batch_size * config.actor_rollout_ref.rollout.n * longest)
