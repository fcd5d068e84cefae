"""One override is enough; what cannot work is refused with got, expected and fix."""

import pickle

import pytest
from omegaconf import OmegaConf
from verl.utils.config import omega_conf_to_dataclass, validate_config
from verl.workers.config import PolicyLossConfig

from daro_verl.config import DaroConfig
from daro_verl.errors import DaroConfigError
from daro_verl.job import prepare_job
from daro_verl.workers.policy_losses import NOT_HOMOGENEOUS
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
        "+algorithm.daro.weighting=lipo", "+algorithm.daro.weight_lr=0.1", "+algorithm.daro.bin_scale=equal"
    )
    assert "algorithm.daro.bin_scale, algorithm.daro.weight_lr: does nothing with" in caplog.text
    caplog.clear()
    prepare_job(config)
    assert "does nothing" not in caplog.text


def test_dapo_without_dynamic_sampling_is_pointed_out(caplog):
    validated("+algorithm.daro.weighting=dapo", "actor_rollout_ref.actor.clip_ratio_high=0.28")
    assert "dapo without dynamic sampling" in caplog.text


def test_options_without_the_estimator_are_pointed_out(caplog):
    prepare_job(compose_job("algorithm.adv_estimator=grpo", "+algorithm.daro.weight_lr=0.1"))
    assert "adv_estimator is not daro" in caplog.text


REFUSED = [
    pytest.param(["algorithm.use_kl_in_reward=True"], "use_kl_in_reward: got True, expected False", id="kl_in_reward"),
    pytest.param(["actor_rollout_ref.rollout.n=1"], "rollout.n: got 1, expected at least 2", id="one_rollout"),
    pytest.param(
        ["actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-mean"],
        "loss_agg_mode: got 'seq-mean-token-mean', expected token-mean; .*identically zero",
        id="loss_that_is_zero",
    ),
    pytest.param(
        ["actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-sum"], "got 'seq-mean-token-sum'", id="other_mean"
    ),
    pytest.param(
        ["actor_rollout_ref.actor.checkpoint.async_save=True"],
        "async_save: got True, expected False",
        id="async_save",
    ),
    pytest.param(
        ["actor_rollout_ref.actor.megatron.dynamic_context_parallel=True"],
        "dynamic_context_parallel: got True, expected False",
        id="dynamic_cp",
    ),
    *(
        pytest.param([f"actor_rollout_ref.actor.policy_loss.loss_mode={name}"], f"got '{name}', .*: it ", id=name)
        for name in NOT_HOMOGENEOUS
    ),
    pytest.param(
        ["actor_rollout_ref.actor.policy_loss.loss_mode=daro"], "loss_mode: got 'daro'.*leave", id="daro_loss"
    ),
    pytest.param(
        ["algorithm.rollout_correction.bypass_mode=True", "algorithm.rollout_correction.rollout_rs=token_k1"],
        "rollout_rs: got 'token_k1', expected null in bypass mode",
        id="bypass_rejection",
    ),
    pytest.param(
        [
            "actor_rollout_ref.actor.policy_loss.loss_mode=bypass_mode",
            "+actor_rollout_ref.actor.policy_loss.rollout_correction={rollout_rs: token_k1}",
        ],
        "rollout_rs: got 'token_k1', expected null in bypass mode",
        id="bypass_loss",
    ),
    pytest.param(["+algorithm.daro.weight_lr=0"], r"weight_lr: got 0, expected a number in \(0, 1\]", id="lr_zero"),
    pytest.param(["+algorithm.daro.weight_lr=fast"], "weight_lr: got 'fast', expected a finite number", id="lr_word"),
    pytest.param(["+algorithm.daro.weight_lr=nan"], "weight_lr: got nan", id="lr_nan"),
    pytest.param(["+algorithm.daro.weight_lr=True"], "weight_lr: got True", id="lr_bool"),
    pytest.param(["+algorithm.daro.weight_min=0"], "weight_min: got 0, expected a number > 0", id="min_zero"),
    pytest.param(
        ["+algorithm.daro.weight_max=0.001"], "weight_max: got 0.001, expected a number >= weight_min", id="max"
    ),
    pytest.param(["+algorithm.daro.weight_init=1000"], r"weight_init: got 1000, expected .*\[0.1, 10.0\]", id="init"),
    pytest.param(["+algorithm.daro.loss_ema_decay=1"], "loss_ema_decay: got 1", id="decay"),
    pytest.param(["+algorithm.daro.success_threshold=inf"], "success_threshold: got inf", id="threshold"),
    pytest.param(
        ["+algorithm.daro.weighting=learnt"], "weighting: got 'learnt', expected one of learned", id="weighting"
    ),
    pytest.param(
        ["+algorithm.daro.bin_scale=1.5"], "bin_scale: got 1.5, expected one of equal, batch_share", id="bin_scale"
    ),
    pytest.param(["+algorithm.daro.bin_scale=tokens"], "bin_scale: got 'tokens'", id="bin_scale_word"),
    pytest.param(["+algorithm.daro.bin_scale=True"], "bin_scale: got True", id="bin_scale_bool"),
    pytest.param(
        ["+algorithm.daro.weight_scale=none"], "weight_scale: got 'none', expected one of raw, mean_one", id="choice"
    ),
    pytest.param(["+algorithm.daro.not_positive=skip"], "algorithm.daro: got 'not_positive'", id="removed_option"),
    pytest.param(["+algorithm.daro.weight_start=[1]"], r"weight_start: got \[1\]", id="choice_list"),
    pytest.param(
        ["+algorithm.daro.weighting=dapo"], "clip_ratio_high: got 0.2, expected more than clip_ratio_low", id="dapo"
    ),
    pytest.param(["+algorithm.daro.wieght_lr=0.1"], "got 'wieght_lr'.*did you mean .*weight_lr", id="unknown_option"),
    pytest.param(["+algorithm.daro=5"], "algorithm.daro: got 5, expected options by name", id="no_mapping"),
]


@pytest.mark.parametrize(("overrides", "message"), REFUSED)
def test_refused_before_any_worker_starts(overrides, message):
    with pytest.raises(DaroConfigError, match=message) as refused:
        validated(*overrides)
    assert "Fix: " in str(refused.value)


def test_a_critic_is_refused():
    with pytest.raises(DaroConfigError, match="critic: got 'enabled', expected disabled"):
        validated(use_critic=True)


def test_all_problems_are_told_at_once():
    with pytest.raises(DaroConfigError) as refused:
        validated("algorithm.use_kl_in_reward=True", "actor_rollout_ref.rollout.n=1", "+algorithm.daro.weight_min=-1")
    for word in ("use_kl_in_reward", "rollout.n", "weight_min"):
        assert word in str(refused.value)
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)  # it crosses Ray processes
