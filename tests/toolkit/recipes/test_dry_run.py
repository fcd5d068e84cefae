"""Every recipe, method and backend composes with verl's configuration and passes its checks and ours."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from daro_verl.toolkit.recipes import software
from daro_verl.toolkit.recipes.__main__ import Plan, child_environment, main, plan
from daro_verl.toolkit.recipes.compose import as_yaml
from daro_verl.toolkit.recipes.errors import DaroRecipeError
from daro_verl.toolkit.recipes.knobs import KNOBS, RECIPE, read_knobs
from daro_verl.toolkit.recipes.methods import METHODS
from tests.toolkit.recipes.scripts import RECIPES, SCRIPTS, clean_environment

ACTOR, ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
EVERY_METHOD = {
    "algorithm.adv_estimator": "daro",
    "algorithm.use_kl_in_reward": False,
    f"{ACTOR}.use_kl_loss": False,
    f"{ACTOR}.loss_agg_mode": "token-mean",
    f"{ACTOR}.strategy": "megatron",
    f"{ACTOR}.clip_ratio_low": 0.2,
    f"{ACTOR}.use_dynamic_bsz": True,
    f"{ROLLOUT}.log_prob_use_dynamic_bsz": True,
    f"{ROLLOUT}.n": 8,
    "data.train_batch_size": 128,
    f"{ACTOR}.ppo_mini_batch_size": 64,
    f"{ACTOR}.optim.lr": 1e-6,
    "reward.custom_reward_function.path": "pkg://daro_verl.reward.math",
    "trainer.resume_mode": "auto",
}
SYMMETRIC = {
    f"{ACTOR}.clip_ratio_high": 0.2,
    f"{ACTOR}.clip_ratio_c": 3.0,
    "algorithm.filter_groups.enable": False,
    "reward.reward_manager.name": "naive",
    "reward.reward_kwargs": None,
}
ONE_METHOD = {
    "daro": {**SYMMETRIC, "algorithm.daro": None},
    "daro_paper": {**SYMMETRIC, "algorithm.daro": {"weighting": "paper"}},
    "grpo": {**SYMMETRIC, "algorithm.daro": {"weighting": "grpo"}},
    "dr_grpo": {**SYMMETRIC, "algorithm.daro": {"weighting": "dr_grpo"}},
    "lipo": {**SYMMETRIC, "algorithm.daro": {"weighting": "lipo"}},
    "dapo": {
        f"{ACTOR}.clip_ratio_high": 0.28,
        f"{ACTOR}.clip_ratio_c": 10.0,
        "algorithm.filter_groups.enable": True,
        "algorithm.filter_groups.metric": "acc",
        "reward.reward_manager.name": "dapo",
        "reward.reward_kwargs.overlong_buffer_cfg.enable": True,
        "reward.reward_kwargs.overlong_buffer_cfg.penalty_factor": 1.0,
        "algorithm.daro": {"weighting": "dapo", "success_threshold": 0},
    },
}


@pytest.fixture
def dry_run(knobs_of):
    """``dry_run(script, *overrides, NAME=value)``: the plan that a dry run prints."""

    def dry_run(script: str, *extra: str, **knobs: str) -> Plan:
        return plan(read_knobs({**knobs_of(script), **knobs}), extra)

    return dry_run


@pytest.mark.parametrize("backend", ["vllm", "sglang"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("script", SCRIPTS)
def test_the_configuration_has_exactly_the_settings_of_the_method(dry_run, script, method, backend):
    config = dry_run(script, METHOD=method, INFER_BACKEND=backend).config
    for key, expected in {**EVERY_METHOD, **ONE_METHOD[method], f"{ROLLOUT}.name": backend}.items():
        assert OmegaConf.select(config, key) == expected, key
    response = 3072 if "llama" in script else 8192
    assert (config.data.max_prompt_length, config.data.max_response_length) == (1024, response)
    assert OmegaConf.select(config, f"{ROLLOUT}.max_model_len") == 1024 + response
    if method == "dapo":  # half of the longest response; the manager must be told how long that is
        assert OmegaConf.select(config, "reward.reward_kwargs.overlong_buffer_cfg.len") == response // 2
        assert OmegaConf.select(config, "reward.reward_kwargs.max_resp_len") == response


def test_every_knob_reaches_its_keys(dry_run, knobs_of):
    changed = {
        "TP": "2",
        "BATCH": "64",
        "MINI_BATCH": "32",
        "LR": "3e-6",
        "CLIP_HIGH": "0.25",
        "SEED": "7",
        "OFFLOAD": "1",
    }
    changed |= {"RECOMPUTE": "none", "MAX_TOKENS": "10000", "BRIDGE": "mbridge", "LOGGER": "file,wandb", "NAME": "mine"}
    found = dry_run(SCRIPTS[0], **changed)
    for name in changed:
        for key, value in KNOBS[name].settings(found.values[name]).items():
            assert OmegaConf.select(found.config, key) == value, key


def test_arguments_win_over_knobs_also_where_they_come_with_a_plus(dry_run):
    found = dry_run(SCRIPTS[0], "data.train_batch_size=256", "+algorithm.daro.weighting=uniform", METHOD="grpo")
    assert found.config.data.train_batch_size == 256
    assert found.config.algorithm.daro.weighting == "uniform"
    assert sum("train_batch_size" in override for override in found.overrides) == 1


@pytest.mark.parametrize(
    ("knobs", "extra", "named"),
    [
        ({"MINI_BATCH": "48"}, [], "BATCH: got 128, expected a multiple of MINI_BATCH (48)"),
        ({"TP": "8"}, [], "TP (Megatron): got 8, expected a divisor of 12 attention heads"),
        ({"PP": "8"}, [], "PP (Megatron): got 8, expected a divisor of 28 layers"),
        ({"MAX_RESPONSE": "16384", "MAX_TOKENS": "20000"}, [], "MAX_PROMPT, MAX_RESPONSE: prompt + response: got"),
        ({"MAX_TOKENS": "80000"}, [], "TP, PP, MAX_TOKENS, RECOMPUTE: memory in training"),
        ({"ROLLOUT_MEMORY": "0.95"}, [], "OFFLOAD, ROLLOUT_MEMORY: memory in generation"),
        ({"METHOD": "dapo", "CLIP_HIGH": "0.2"}, [], "CLIP_HIGH sets actor_rollout_ref.actor.clip_ratio_high"),
        ({"METHOD": "dapo", "OVERLONG_LEN": "8192"}, [], "OVERLONG_LEN: got 8192, expected less than MAX_RESPONSE"),
        ({}, ["+algorithm.daro.weight_lr=-1"], "algorithm.daro.weight_lr: got -1"),
        ({}, ["algorithm.no_such_key=1"], "configuration: got"),
        ({}, ["--cfg"], "arguments: got '--cfg', expected Hydra overrides"),
        ({}, ["BATCH=64"], "arguments: got 'BATCH=64', expected a knob before the command"),
        ({}, ["data.max_response_length=4096", "+reward.reward_kwargs.max_resp_len=8192",
              "+reward.reward_kwargs.overlong_buffer_cfg={enable:True,len:9}"],
         "reward.reward_kwargs.max_resp_len: got 8192, expected MAX_RESPONSE (4096)"),
        ({}, ["data.train_batch_size=abc"], "data.train_batch_size: got 'abc', expected a whole number"),
        ({}, ["data.train_batch_size=1.5"], "data.train_batch_size: got 1.5, expected a whole number"),
        ({}, [f"{ROLLOUT}.max_model_len=null"], "rollout.max_model_len: got None, expected a whole number"),
        ({}, [f"{ROLLOUT}.gpu_memory_utilization=much"], "gpu_memory_utilization: got 'much', expected a number"),
        ({}, [f"{ACTOR}.use_dynamic_bsz=2"], "use_dynamic_bsz: got 2, expected True or False"),
        ({}, ["+reward.reward_kwargs.overlong_buffer_cfg.enable=True"], "overlong_buffer_cfg.len: got None, expected"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(dry_run, knobs, extra, named):
    with pytest.raises(DaroRecipeError) as error:
        dry_run(SCRIPTS[0], *extra, **knobs)
    assert named in str(error.value)


def test_a_real_run_also_wants_model_data_and_a_cluster(dry_run, tmp_path):
    with pytest.raises(DaroRecipeError) as error:
        dry_run(
            SCRIPTS[1], DRY_RUN="0", NNODES="2", MODEL=str(tmp_path / "no"), TRAIN_FILES=str(tmp_path / "a.parquet")
        )
    message = str(error.value)
    assert "python -m daro_verl.toolkit.models prepare Qwen/Qwen2.5-Math-7B" in message
    for name in ("MODEL", "TRAIN_FILES", "VAL_FILES", "NNODES"):
        assert f"{name}: got" in message


def test_packages_that_are_not_installed_are_named():
    values = {"INFER_BACKEND": "no_such_engine", "BRIDGE": "mbridge", "CP": 1, "LOGGER": ["file", "no.such_logger"]}
    engine, logger = software.missing(values)
    assert engine.startswith("INFER_BACKEND: got 'no_such_engine'")
    assert logger.startswith("LOGGER: got 'no.such_logger'")


@pytest.mark.parametrize(
    ("knobs", "named"),
    [
        ({}, {"INFER_BACKEND", "model_engine"}),
        ({"CP": 2}, {"INFER_BACKEND", "model_engine", "CP"}),
        ({"BRIDGE": "megatron-bridge"}, {"INFER_BACKEND", "model_engine", "BRIDGE"}),
    ],
)
def test_what_the_actors_need_is_named(monkeypatch, knobs, named):
    there = {"math_verify", "mbridge", "megatron.bridge"}
    monkeypatch.setattr(software, "_is_there", there.__contains__)
    values = {"INFER_BACKEND": "vllm", "BRIDGE": "mbridge", "CP": 1, "LOGGER": ["file"], **knobs}
    assert {problem.split(":")[0] for problem in software.missing(values)} == named


def test_a_wrong_argument_ends_in_a_message_and_not_in_a_traceback(knobs_of, capsys):
    assert main(["data.train_batch_size=abc"], knobs_of(SCRIPTS[0])) == 2
    assert capsys.readouterr().err.startswith("data.train_batch_size: got 'abc'")


@pytest.mark.parametrize("nodes", [{"DRY_RUN": "0"}, {"DRY_RUN": "1"}])
def test_several_nodes_want_a_cluster_in_a_dry_run_too(dry_run, nodes):
    with pytest.raises(DaroRecipeError, match="NNODES: got 2, expected 1, or the RAY_ADDRESS of a cluster"):
        dry_run(SCRIPTS[0], NNODES="2", **nodes)
    assert dry_run(SCRIPTS[0], NNODES="2", RAY_ADDRESS="auto").job.world == 16


def test_each_attempt_has_a_log_of_its_own(dry_run, tmp_path):
    (tmp_path / "attempts").mkdir()
    (tmp_path / "attempts" / "0001.jsonl").touch()
    config = dry_run(SCRIPTS[0], OUTPUT=str(tmp_path)).config
    variables = config.ray_kwargs.ray_init.runtime_env.env_vars
    assert variables.VERL_FILE_LOGGER_PATH == str(tmp_path / "attempts" / "0002.jsonl")
    assert config.trainer.default_local_dir == str(tmp_path / "checkpoints")


def test_verl_does_not_see_the_knobs_but_rays_address(dry_run, knobs_of):
    environment = {**knobs_of(SCRIPTS[0]), "RAY_ADDRESS": "auto"}
    child = child_environment(read_knobs(environment), environment)
    assert not {*KNOBS, RECIPE} & set(child) - {"RAY_ADDRESS"} and child["RAY_ADDRESS"] == "auto"
    environment["RAY_ADDRESS"] = "none"
    assert "RAY_ADDRESS" not in child_environment(read_knobs(environment), environment)


def test_a_smoke_run_is_the_same_recipe_with_small_numbers(knobs_of):
    environment = knobs_of(SCRIPTS[1], SMOKE="1", METHOD="dapo")
    found = plan(read_knobs(environment), [])
    assert found.config.trainer.device == "cpu" and found.job.tp == 2  # the recipe's own
    assert found.config.algorithm.filter_groups.metric == "acc"
    assert found.job.batch == 8 and found.job.overlong == (8, 24)


def test_a_smoke_run_refuses_a_knob_that_it_would_ignore(knobs_of):
    environment = knobs_of(SCRIPTS[1], SMOKE="1", INFER_BACKEND="sglang")
    with pytest.raises(DaroRecipeError, match="INFER_BACKEND: got 'sglang', expected vllm with SMOKE=1"):
        plan(read_knobs(environment), [])


def test_a_gpu_that_is_too_small_is_refused_with_the_estimate(dry_run):
    with pytest.raises(DaroRecipeError, match=r"memory in training: got 'about \d+ GB .*24 GB of GPU_MEMORY_GB"):
        dry_run(SCRIPTS[1], GPU_MEMORY_GB="24")
    dry_run(SCRIPTS[0], GPU_MEMORY_GB="60")  # the smallest model has room there


def test_the_script_prints_the_whole_configuration(tmp_path):
    """Through bash: YAML on standard output, tables and the command on standard error, nothing else written."""
    env = clean_environment(DRY_RUN="1", OUTPUT=str(tmp_path / "run"), PYTHON=sys.executable)
    command = ["bash", str(RECIPES / f"{SCRIPTS[2]}.sh"), "trainer.save_freq=5"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    config = yaml.safe_load(done.stdout)
    assert config["trainer"]["save_freq"] == 5 and config["algorithm"]["adv_estimator"] == "daro"
    assert "(an estimate)" in done.stderr and "verl.trainer.main_ppo" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_main_prints_what_plan_found(knobs_of, capsys):
    environment = knobs_of(SCRIPTS[0])
    assert main([], environment) == 0
    assert capsys.readouterr().out == as_yaml(plan(read_knobs(environment), []).config)
    assert not Path(environment["OUTPUT"]).exists()
