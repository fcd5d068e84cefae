"""The seams as the entry points meet them: refusals before Ray starts, and classes that Ray can send."""

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from ray import cloudpickle

from daro_verl.errors import DaroConfigError
from tests.unit.jobs import CONFIG_DIR, compose_job

EXPERIMENTAL = {
    "one_step_off_policy": ("main_ppo", "one_step_off_ppo_trainer"),
    "fully_async_policy": ("fully_async_main", "fully_async_ppo_trainer"),
}


def compose_experimental(trainer: str, *overrides: str):
    folder = CONFIG_DIR.replace("verl/trainer/config", f"verl/experimental/{trainer}/config")
    with initialize_config_dir(folder, version_base=None):
        return compose(
            EXPERIMENTAL[trainer][1],
            overrides=["hydra.searchpath=[pkg://verl.trainer.config]", "algorithm.adv_estimator=daro", *overrides],
        )


@pytest.fixture
def no_ray(monkeypatch):
    """``run_ppo`` up to its first question to Ray."""
    import ray

    def reached():
        raise AssertionError("Ray was reached")

    monkeypatch.setattr(ray, "is_initialized", reached)


@pytest.mark.parametrize("trainer", EXPERIMENTAL)
def test_entry_points_that_do_not_validate_first_are_refused_before_ray_starts(trainer, no_ray):
    from verl.trainer.main_ppo import run_ppo

    config = compose_experimental(trainer, "algorithm.use_kl_in_reward=True")
    with pytest.raises(DaroConfigError, match="use_kl_in_reward: got True, expected False"):
        run_ppo(config, task_runner_class=None)


@pytest.mark.parametrize("trainer", EXPERIMENTAL)
def test_entry_points_that_do_not_validate_first_are_prepared(trainer, no_ray):
    from verl.trainer.main_ppo import run_ppo

    config = compose_experimental(trainer, "actor_rollout_ref.rollout.n=4", "actor_rollout_ref.actor.strategy=fsdp2")
    with pytest.raises(AssertionError, match="Ray was reached"):
        run_ppo(config, task_runner_class=None)
    assert config.algorithm.daro.num_rollouts == 4
    assert config.actor_rollout_ref.daro.num_rollouts == 4


def test_run_ppo_leaves_a_job_without_daro_as_it_is(no_ray):
    from verl.trainer.main_ppo import run_ppo

    config = compose_job("algorithm.adv_estimator=grpo", "actor_rollout_ref.rollout.n=1")
    before = OmegaConf.to_container(config)
    with pytest.raises(AssertionError, match="Ray was reached"):
        run_ppo(config=config, task_runner_class=None)
    assert OmegaConf.to_container(config) == before


def task_runner(module: str):
    """verl's task runner as Ray pickles it: by value, with what its module imported by name."""
    return __import__(module, fromlist=["_"])


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("verl.trainer.main_ppo_v0", "TaskRunner"),
        ("verl.experimental.one_step_off_policy.main_ppo", "OneStepTaskRunner"),
        ("verl.experimental.fully_async_policy.fully_async_main", "FullyAsyncTaskRunner"),
        ("verl.experimental.fully_async_policy.fully_async_trainer", "FullyAsyncTrainer"),
    ],
)
def test_ray_can_send_the_classes_of_every_trainer(module, name):
    actor_class = getattr(task_runner(module), name)
    assert cloudpickle.loads(cloudpickle.dumps(actor_class.__ray_metadata__.modified_class))
