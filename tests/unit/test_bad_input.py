"""Every bad input of the table is refused by name before any worker starts, and the page says what the table says."""

import os
import pickle
import subprocess
import sys

import pytest
import ray
from omegaconf import OmegaConf
from verl.trainer.main_ppo import run_ppo
from verl.trainer.ppo.core_algos import AdvantageEstimator
from verl.trainer.ppo.utils import need_critic
from verl.utils.config import validate_config

from daro_verl.errors import DaroConfigError
from daro_verl.job import prepare_job
from daro_verl.workers.policy_losses import NOT_HOMOGENEOUS
from tests.unit.bad_inputs import PAGE, ROWS, page, split
from tests.unit.jobs import compose_job


def check(*overrides: str) -> None:
    """The check with which verl's entry points begin."""
    config = compose_job("actor_rollout_ref.rollout.name=vllm", *overrides)
    validate_config(config=config, use_reference_policy=False, use_critic=need_critic(config))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.overrides)
def test_refused_before_any_worker_starts(row):
    with pytest.raises(DaroConfigError) as refused:
        check(*split(row.overrides))
    assert row.words in str(refused.value) and "Fix: " in str(refused.value)
    assert not ray.is_initialized()


def test_the_page_is_that_of_the_table():
    assert len(ROWS) >= 40
    assert PAGE.read_text() == page()


def test_every_loss_that_cannot_be_scaled_is_in_the_table():
    assert {row.overrides.split("loss_mode=")[-1] for row in ROWS} >= NOT_HOMOGENEOUS.keys()


def test_each_problem_has_its_own_line():
    with pytest.raises(DaroConfigError) as refused:
        check("+algorithm.daro.foo=1", "+algorithm.daro.weight_lr=0", "+algorithm.daro.weight_min=-1")
    heading, *lines = str(refused.value).splitlines()
    assert heading == "DARO cannot train this job:" and len(lines) == 3
    assert all(line.startswith("- algorithm.daro") and "Fix: " in line for line in lines)
    assert "did you mean" not in lines[0] and lines[0].endswith("Fix: leave it out")  # nothing is near foo


def test_verls_own_estimators_and_far_names_pass_untouched():
    config = compose_job("+algorithm.weighting=mine")
    names = [estimator.value for estimator in AdvantageEstimator]
    assert len(names) >= 10
    for name in [*names, "my_own", "dapo", None]:
        config.algorithm.adv_estimator = name
        before = OmegaConf.to_container(config)
        prepare_job(config)
        assert OmegaConf.to_container(config) == before


@pytest.mark.parametrize("overrides", [["algorithm.adv_estimator=DARO"], ["actor_rollout_ref.rollout.n=four"]])
def test_entry_points_that_never_validate_refuse_too(overrides):
    with pytest.raises(DaroConfigError):
        run_ppo(compose_job(*overrides), task_runner_class=None)
    assert not ray.is_initialized()


def test_the_error_crosses_processes_as_itself():
    with pytest.raises(DaroConfigError) as refused:
        check("actor_rollout_ref.rollout.n=four")
    copy = pickle.loads(pickle.dumps(refused.value))
    assert type(copy) is DaroConfigError and str(copy) == str(refused.value)


@pytest.mark.slow
def test_a_message_without_a_traceback(tmp_path):
    """What the user of verl's entry point sees."""
    command = [sys.executable, "-m", "verl.trainer.main_ppo", "model_engine=megatron", "algorithm.adv_estimator=daro"]
    command += ["actor_rollout_ref.rollout.n=four", "actor_rollout_ref.rollout.name=vllm", f"hydra.run.dir={tmp_path}"]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("VERL_", "HYDRA_"))}
    done = subprocess.run(command, env={**env, "VERL_PLATFORM": "cpu"}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "ray init kwargs" not in done.stdout
    assert "Traceback" not in done.stderr
    after = done.stderr.split("DARO cannot train this job:\n")[1].splitlines()
    assert after[0].startswith("- actor_rollout_ref.rollout.n: got 'four'") and "FULL_ERROR" in after[-1]
