"""A whole verl job, checked and prepared for DARO before any worker starts.

verl's entry points call ``verl.utils.config.validate_config`` with the composed configuration; the seam in
``seams.py`` calls :func:`prepare_job` first. Only a job with ``algorithm.adv_estimator=daro`` is touched.
"""

import logging
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from daro_verl.config import DaroConfig
from daro_verl.errors import DaroConfigError, got_expected_fix
from daro_verl.resume import repair_tracker

logger = logging.getLogger(__name__)

ESTIMATOR_NAME = "daro"
POLICY_LOSS_NAME = "daro"
POLICY_LOSS_TARGET = "daro_verl.workers.policy_loss.DaroPolicyLossConfig"

# verl's policy losses that end in one number per response, so that there are no token losses to sum by bin.
LOSSES_WITHOUT_TOKENS = ("geo_mean",)

_SEQ_MEAN_IS_ZERO = (
    "token-mean; with centred advantages a per-sequence mean of the loss is, on policy, minus the sum of the "
    "advantages of the prompt: identically zero for every bin, so no weight could be learned"
)
_NORMALISED_BY_BIN = "token-mean; DARO normalises the policy loss of a bin by the tokens of the bin itself"


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
    problems = _job_problems(config, use_critic)
    try:
        options = DaroConfig.from_mapping(_user_options(config))
    except DaroConfigError as error:
        problems.append(str(error))
    if problems:
        raise DaroConfigError("DARO cannot train this job:\n" + "\n".join(f"- {line}" for line in problems))
    _hand_over(config, options)
    folder = OmegaConf.select(config, "trainer.default_local_dir")
    if folder and OmegaConf.select(config, "trainer.resume_mode") == "auto":
        repair_tracker(folder)


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
    if config.actor_rollout_ref.actor.policy_loss.get("daro") is not None:
        options.pop("num_rollouts", None)
    return options


def _job_problems(config: DictConfig, use_critic: bool) -> list[str]:
    actor, rollout = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout
    mode = actor.get("loss_agg_mode", "token-mean")
    dynamic_cp = bool(OmegaConf.select(actor, "megatron.dynamic_context_parallel", default=False))
    loss_mode = actor.policy_loss.get("loss_mode", "vanilla")
    bypass = bool(OmegaConf.select(config, "algorithm.rollout_correction.bypass_mode", default=False))
    rejection = OmegaConf.select(config, "algorithm.rollout_correction.rollout_rs") if bypass else None
    if loss_mode == "bypass_mode":
        rejection = rejection or OmegaConf.select(actor.policy_loss, "rollout_correction.rollout_rs")
    rows = [
        (
            config.algorithm.get("use_kl_in_reward", False),
            "algorithm.use_kl_in_reward",
            True,
            "False; a penalty inside the reward changes which responses count as successes",
            "set algorithm.use_kl_in_reward=False, and actor_rollout_ref.actor.use_kl_loss=True for a KL term",
        ),
        (
            rollout.n < 2,
            "actor_rollout_ref.rollout.n",
            rollout.n,
            "at least 2; a pass rate strictly between 0 and 1 needs two responses of a prompt",
            "set actor_rollout_ref.rollout.n=8",
        ),
        (
            mode != "token-mean",
            "actor_rollout_ref.actor.loss_agg_mode",
            mode,
            _SEQ_MEAN_IS_ZERO if mode == "seq-mean-token-mean" else _NORMALISED_BY_BIN,
            "set actor_rollout_ref.actor.loss_agg_mode=token-mean",
        ),
        (
            loss_mode in LOSSES_WITHOUT_TOKENS,
            "actor_rollout_ref.actor.policy_loss.loss_mode",
            loss_mode,
            "a loss with one value per token, which DARO can sum by bin",
            "set actor_rollout_ref.actor.policy_loss.loss_mode=vanilla, or gspo for ratios per sequence",
        ),
        (
            use_critic,
            "critic",
            "enabled",
            "disabled; DARO's baseline is the mean reward of a prompt, and a critic would read the pass rates that "
            "DARO sends in `returns`",
            "set critic.enable=False",
        ),
        (
            dynamic_cp,
            "actor_rollout_ref.actor.megatron.dynamic_context_parallel",
            True,
            "False; it replicates the batch over data-parallel ranks, which DARO's token counts would count twice",
            "set actor_rollout_ref.actor.megatron.dynamic_context_parallel=False",
        ),
        (
            rejection is not None,
            "algorithm.rollout_correction.rollout_rs",
            rejection,
            "null in bypass mode, where tokens are rejected inside the loss if at all, after those of every bin were "
            "counted",
            "set algorithm.rollout_correction.rollout_rs=null, or algorithm.rollout_correction.bypass_mode=False, "
            "where rejection comes before DARO counts",
        ),
    ]
    return [got_expected_fix(subject, got, expected, fix) for wrong, subject, got, expected, fix in rows if wrong]


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
