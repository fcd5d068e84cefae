"""What a job may not combine with DARO (an error), and what it may but should not (a warning)."""

import difflib
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from daro_verl.advantage.weighting import bin_vectors, find_weighting
from daro_verl.advantage.weightings import DAPO, GRPO, MinimiserRule
from daro_verl.config import DaroConfig
from daro_verl.errors import DaroConfigError, problem
from daro_verl.prompts.selection import BAND, UNIFORM
from daro_verl.rollout.sampler_settings import is_scored_at_source, is_v1
from daro_verl.workers.policy_losses import HOMOGENEOUS, NOT_HOMOGENEOUS

ENGINES = ("fsdp2", "megatron")
_SEQ_MEAN_IS_ZERO = (
    "token-mean; with centred advantages and on policy, a per-sequence mean of the loss is minus the sum of the "
    "prompt's advantages, which is zero in every bin, so no weight could be learned"
)
_NORMALISED_BY_BIN = "token-mean; DARO normalises the policy loss of a bin by the tokens of the bin itself"


def number_problems(config: DictConfig) -> list[str]:
    """Problems with the numbers that DARO reads from the job, each as got, expected and fix."""
    why = "; a pass rate strictly between 0 and 1 needs two responses of a prompt"
    rows = [
        ("actor_rollout_ref.rollout.n", 2, why, 8),
        ("actor_rollout_ref.actor.ppo_mini_batch_size", 1, "", 256),
        ("data.max_response_length", 1, "", 1024),
    ]
    found = [(OmegaConf.select(config, path), path, least, why, usual) for path, least, why, usual in rows]
    return [
        problem(path, got, f"at least {least}, a whole number{why}", f"set {path}={usual}")
        for got, path, least, why, usual in found
        if type(got) is not int or got < least
    ]


def job_problems(config: DictConfig, use_critic: bool) -> list[str]:
    """The problems that make the job untrainable with any weighting, each as got, expected and fix."""
    actor = config.actor_rollout_ref.actor
    mode = actor.get("loss_agg_mode", "token-mean")
    dynamic_cp = bool(OmegaConf.select(actor, "megatron.dynamic_context_parallel", default=False))
    loss_mode = OmegaConf.select(actor, "policy_loss.loss_mode", default="vanilla")
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
            actor.strategy not in ENGINES,
            "actor_rollout_ref.actor.strategy",
            actor.strategy,
            "fsdp2 or megatron; DARO has not been tried with other engines, such as FSDP1 (fsdp), verl's default",
            "set actor_rollout_ref.actor.strategy=fsdp2",
        ),
        (
            mode != "token-mean",
            "actor_rollout_ref.actor.loss_agg_mode",
            mode,
            _SEQ_MEAN_IS_ZERO if mode == "seq-mean-token-mean" else _NORMALISED_BY_BIN,
            "set actor_rollout_ref.actor.loss_agg_mode=token-mean",
        ),
        (
            loss_mode in NOT_HOMOGENEOUS,
            "actor_rollout_ref.actor.policy_loss.loss_mode",
            loss_mode,
            "token losses proportional to the advantage, which DARO scales by the bin's weight; not this one: "
            + NOT_HOMOGENEOUS.get(loss_mode, ""),
            "set actor_rollout_ref.actor.policy_loss.loss_mode=vanilla, or gspo for ratios per sequence",
        ),
        (
            _is_unknown_loss(config, loss_mode),
            "actor_rollout_ref.actor.policy_loss.loss_mode",
            loss_mode,
            f"a registered policy loss, such as {', '.join(HOMOGENEOUS)}",
            _known_loss(loss_mode),
        ),
        (
            not isinstance(actor.policy_loss, DictConfig),
            "actor_rollout_ref.actor.policy_loss",
            actor.policy_loss,
            "the settings of the policy loss",
            f"set actor_rollout_ref.actor.policy_loss.loss_mode={actor.policy_loss}",
        ),
        (
            loss_mode == "daro",
            "actor_rollout_ref.actor.policy_loss.loss_mode",
            loss_mode,
            "one of verl's losses, which DARO reweights",
            "leave loss_mode alone and set algorithm.adv_estimator=daro",
        ),
        (
            OmegaConf.select(config, "distillation.enabled")
            and not OmegaConf.select(config, "distillation.distillation_loss.use_task_rewards", default=True),
            "distillation.distillation_loss.use_task_rewards",
            False,
            "True; without rewards there is no policy loss that DARO could weight",
            "set distillation.distillation_loss.use_task_rewards=True, or another algorithm.adv_estimator",
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
            actor.get("checkpoint", {}).get("async_save", False),
            "actor_rollout_ref.actor.checkpoint.async_save",
            True,
            "False; DARO's file would mark the actor's checkpoint as complete while verl is still writing it",
            "set actor_rollout_ref.actor.checkpoint.async_save=False",
        ),
        (
            dynamic_cp,
            "actor_rollout_ref.actor.megatron.dynamic_context_parallel",
            True,
            "False; each data-parallel rank has the whole batch and computes a part of it, so DARO's token counts and "
            "losses would not match",
            "set actor_rollout_ref.actor.megatron.dynamic_context_parallel=False",
        ),
        (
            rejection is not None,
            "algorithm.rollout_correction.rollout_rs",
            rejection,
            "null in bypass mode, which rejects tokens inside the loss, after DARO has counted the tokens of every bin",
            "set algorithm.rollout_correction.rollout_rs=null, or algorithm.rollout_correction.bypass_mode=False, "
            "which rejects before DARO counts",
        ),
    ]
    return [problem(subject, got, expected, fix) for wrong, subject, got, expected, fix in rows if wrong]


def _is_unknown_loss(config: DictConfig, loss_mode: object) -> bool:
    """Whether no process can know the loss. Only workers import ``model.external_lib``, which may register it."""
    from verl.trainer.ppo.core_algos import POLICY_LOSS_REGISTRY

    if loss_mode in (*HOMOGENEOUS, *NOT_HOMOGENEOUS, "daro"):
        return False
    return loss_mode not in POLICY_LOSS_REGISTRY and not config.actor_rollout_ref.model.get("external_lib", None)


def _known_loss(loss_mode: object) -> str:
    nearest = difflib.get_close_matches(str(loss_mode), HOMOGENEOUS, n=1)
    if nearest:
        return f"did you mean actor_rollout_ref.actor.policy_loss.loss_mode={nearest[0]}?"
    return "name the module that registers a loss of your own in VERL_USE_EXTERNAL_MODULES, for every node"


def weighting_problems(config: DictConfig, options: DaroConfig) -> list[str]:
    """Settings that contradict the chosen weighting, each as got, expected and fix."""
    actor, weighting = config.actor_rollout_ref.actor, find_weighting(options.weighting)
    try:
        bin_vectors(weighting, config.actor_rollout_ref.rollout.n)
    except DaroConfigError as error:
        return error.problems
    low, high = (
        actor.clip_ratio if value is None else value for value in (actor.clip_ratio_low, actor.clip_ratio_high)
    )
    if isinstance(weighting, DAPO) and not _is_greater(high, low):
        expected = f"more than clip_ratio_low ({low}); this is half of the difference between DAPO and GRPO"
        fix = "set actor_rollout_ref.actor.clip_ratio_high=0.28, or +algorithm.daro.weighting=grpo"
        return [problem("actor_rollout_ref.actor.clip_ratio_high", high, expected, fix)]
    return []


def prompts_problems(config: DictConfig, options: DaroConfig, has_memory: bool) -> list[str]:
    """What the option ``prompts`` needs and the job lacks, each as got, expected and fix.

    Args:
        has_memory: whether the job's replay buffer is DARO's.
    """
    if options.prompts == UNIFORM:
        return []
    fix = "set +algorithm.daro.prompts=uniform"
    v1, experimental = is_v1(config), config.trainer.get("use_v1", False)
    rows = [
        (
            not v1,
            "the trainer",
            "one_step_off_policy or fully_async_policy" if experimental else "trainer.use_v1=False",
            "one of verl's V1 trainers: sync, colocate_async or separate_async",
            fix,
        ),
        (
            v1 and not has_memory,
            "trainer.v1.sampler.custom_sampler.path",
            OmegaConf.select(config, "trainer.v1.sampler.custom_sampler.path"),
            "none; DARO's own replay buffer remembers how difficult each prompt was",
            f"leave it out, or {fix}",
        ),
        (
            v1 and not is_scored_at_source(config),
            "reward.reward_model.enable_resource_pool",
            False,
            "True; a colocated reward model scores only after sampling",
            f"set it to True, or {fix}",
        ),
        (
            not config.data.get("shuffle", True),
            "data.shuffle",
            False,
            "True; the order of the data would be lost",
            f"set data.shuffle=True, or {fix}",
        ),
    ]
    asked = f" (for algorithm.daro.prompts={options.prompts})"
    return [problem(subject, got, expected + asked, fix) for wrong, subject, got, expected, fix in rows if wrong]


def _is_greater(high: object, low: object) -> bool:
    return isinstance(high, int | float) and isinstance(low, int | float) and high > low


def weighting_warnings(config: DictConfig, options: DaroConfig, given: Mapping[str, Any]) -> list[str]:
    """Warnings about settings that the chosen weighting makes pointless or incomplete.

    Args:
        given: the options that the user set.
    """
    weighting, warnings = find_weighting(options.weighting), []
    idle = set() if weighting.learns else {"weight_lr", "weight_min", "weight_max", "loss_signal", "loss_ema_decay"}
    idle |= {"weight_lr"} if weighting.rule is MinimiserRule else set()
    idle |= {"loss_ema_decay"} if options.loss_signal == "batch" else set()
    if found := sorted(idle & given.keys()):
        names = ", ".join(f"algorithm.daro.{name}" for name in found)
        warnings.append(f"{names}: does nothing with algorithm.daro.weighting={options.weighting}.")
    if "prompt_band" in given and options.prompts != BAND:
        warnings.append(f"algorithm.daro.prompt_band: does nothing with algorithm.daro.prompts={options.prompts}.")
    if isinstance(weighting, GRPO) and not config.algorithm.get("norm_adv_by_std_in_grpo", True):
        warnings.append(
            f"algorithm.norm_adv_by_std_in_grpo=False: does nothing with algorithm.daro.weighting={options.weighting}, "
            "which divides by the deviation. Set +algorithm.daro.weighting=dr_grpo."
        )
    if isinstance(weighting, DAPO) and not OmegaConf.select(config, "algorithm.filter_groups.enable"):
        warnings.append(
            "algorithm.daro.weighting=dapo without dynamic sampling: prompts with pass rate 0 or 1 are not replaced. "
            "Set algorithm.filter_groups.enable=True and algorithm.filter_groups.metric=acc."
        )
    return warnings
