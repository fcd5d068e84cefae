"""One override is enough; what cannot work is refused with got, expected and fix."""

import pickle
from importlib.metadata import version

import pytest
from omegaconf import OmegaConf
from verl.utils.config import omega_conf_to_dataclass, validate_config
from verl.workers.config import PolicyLossConfig

from daro_verl import __version__
from daro_verl.advantage import Weighting
from daro_verl.config import DaroConfig
from daro_verl.errors import DaroConfigError
from daro_verl.job import prepare_job
from daro_verl.objective import LearningRule
from tests.unit.jobs import compose_job


def validated(*overrides: str, use_critic: bool = False):
    """The job after verl's own ``validate_config``, which the plugin's seam extends."""
    config = compose_job(*overrides)
    validate_config(config=config, use_reference_policy=False, use_critic=use_critic)
    return config


def test_one_override_prepares_estimator_and_weights_and_leaves_the_loss_alone():
    config = validated()
    daro = config.actor_rollout_ref.daro
    assert daro.num_rollouts == config.algorithm.daro.num_rollouts == 8
    assert dict(daro.options) == DaroConfig().to_dict()
    assert daro.policy_loss == "vanilla"
    policy_loss = omega_conf_to_dataclass(config.actor_rollout_ref.actor).policy_loss
    assert type(policy_loss) is PolicyLossConfig and policy_loss.loss_mode == "vanilla"


def test_one_line_says_once_that_daro_is_on(caplog):
    caplog.set_level("INFO", logger="daro_verl")
    job = ["actor_rollout_ref.rollout.name=vllm", "actor_rollout_ref.actor.policy_loss.loss_mode=gspo"]
    config = validated(*job, "+algorithm.daro.weighting=paper", "+algorithm.daro.weight_lr=0.1")
    validate_config(config=config, use_reference_policy=False, use_critic=False)  # a task runner may check it again
    (line,) = (message for message in caplog.messages if message.startswith("DARO is on"))
    start = "DARO is on: weighting=paper, weight_lr=0.1; G=8; policy loss gspo; strategy megatron; "
    assert line.startswith(f"{start}daro_verl {__version__}, verl {version('verl')}, megatron-core ")
    assert "vllm" in line.split(", ")[-1]


def test_the_line_without_options_of_the_users(caplog):
    caplog.set_level("INFO", logger="daro_verl")
    validated()
    assert "DARO is on: weighting=learned, its default options; G=8" in caplog.text


def test_the_jobs_own_loss_stays():
    config = validated("actor_rollout_ref.actor.policy_loss.loss_mode=gspo", "actor_rollout_ref.rollout.n=4")
    assert config.actor_rollout_ref.actor.policy_loss.loss_mode == "gspo"
    assert config.actor_rollout_ref.daro.policy_loss == "gspo"
    assert config.actor_rollout_ref.daro.num_rollouts == 4


def test_bypass_mode_without_rejection_and_decoupled_rejection_are_accepted():
    validated("algorithm.rollout_correction.bypass_mode=True")
    validated("algorithm.rollout_correction.rollout_rs=token_k1", "algorithm.rollout_correction.rollout_is=token")


def test_preparing_twice_changes_nothing():
    config = validated("actor_rollout_ref.actor.policy_loss.loss_mode=gspo", "+algorithm.daro.weight_lr=0.1")
    once = OmegaConf.to_container(config)
    prepare_job(config)
    assert OmegaConf.to_container(config) == once
    assert config.actor_rollout_ref.daro.options.weight_lr == 0.1


def test_a_job_without_daro_is_left_alone():
    config = compose_job("algorithm.adv_estimator=grpo")
    before = OmegaConf.to_container(config)
    validate_config(config=config, use_reference_policy=False, use_critic=False)
    assert OmegaConf.to_container(config) == before


def test_the_budget_that_dr_grpo_divides_by_is_the_mini_batchs():
    config = validated(
        "+algorithm.daro.weighting=dr_grpo",
        "actor_rollout_ref.actor.ppo_mini_batch_size=16",
        "actor_rollout_ref.rollout.n=4",
        "data.max_response_length=100",
    )
    assert config.actor_rollout_ref.daro.token_budget == 16 * 4 * 100
    config.actor_rollout_ref.actor.loss_scale_factor = 7  # verl's name for the constant
    prepare_job(config)
    assert config.actor_rollout_ref.daro.token_budget == 16 * 4 * 7


def test_options_that_do_nothing_with_the_weighting_are_pointed_out_once(caplog):
    config = validated(
        "+algorithm.daro.weighting=lipo", "+algorithm.daro.weight_lr=0.1", "+algorithm.daro.loss_signal=batch"
    )
    assert "algorithm.daro.loss_signal, algorithm.daro.weight_lr: does nothing with" in caplog.text
    caplog.clear()
    prepare_job(config)
    assert "does nothing" not in caplog.text


@pytest.mark.parametrize(
    ("job", "subject"),
    [
        (
            ["actor_rollout_ref.actor.strategy=veomni"],
            "actor.strategy: got 'veomni', expected fsdp2 or",
        ),
        (
            ["distillation.enabled=True", "distillation.distillation_loss.use_task_rewards=False"],
            "use_task_rewards: got False, expected True; without rewards there is no policy loss",
        ),
    ],
)
def test_what_was_not_tried_or_has_no_policy_loss_is_refused(job, subject):
    with pytest.raises(DaroConfigError) as error:
        prepare_job(compose_job(*job))
    assert subject in str(error.value)


class FollowingRule(LearningRule):
    """A user's own, which reads the rate."""


class Following(Weighting):
    rule = FollowingRule


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (["+algorithm.daro.weighting=grpo", "+algorithm.daro.weight_max=5"], "algorithm.daro.weight_max: does nothing"),
        (["+algorithm.daro.weighting=paper", "+algorithm.daro.loss_ema_decay=0.5"], "loss_ema_decay: does nothing"),
        (["+algorithm.daro.prompt_band=[0.2,0.8]"], "prompt_band: does nothing with algorithm.daro.prompts=uniform"),
        (["+algorithm.daro.weighting=grpo", "algorithm.norm_adv_by_std_in_grpo=False"], "weighting=dr_grpo"),
        ([f"+algorithm.daro.weighting={__name__}.Following", "+algorithm.daro.weight_lr=0.1"], ""),
        (["+algorithm.daro.weighting=closed_form", "+algorithm.daro.weight_lr=0.1"], "weight_lr: does nothing"),
    ],
)
def test_what_else_does_nothing(caplog, job, said):
    validated(*job)
    assert said in caplog.text and ("does nothing" in caplog.text) == bool(said)


def test_dapo_without_dynamic_sampling_is_pointed_out(caplog):
    validated("+algorithm.daro.weighting=dapo", "actor_rollout_ref.actor.clip_ratio_high=0.28")
    assert "dapo without dynamic sampling" in caplog.text


def test_all_problems_are_told_at_once():
    with pytest.raises(DaroConfigError) as refused:
        validated("algorithm.use_kl_in_reward=True", "actor_rollout_ref.rollout.n=1", "+algorithm.daro.weight_min=-1")
    for word in ("use_kl_in_reward", "rollout.n", "weight_min"):
        assert word in str(refused.value)
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)  # it crosses Ray processes
