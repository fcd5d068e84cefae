"""Every setting: its standing stands beside it, and a wrong value is refused by its name."""

import copy
import re

import pytest
import yaml
from omegaconf import OmegaConf

from daro_verl.errors import DaroConfigError
from daro_verl.toolkit.recipes.commands import start
from daro_verl.toolkit.recipes.setting_rules import KEY, METHODS, SETTINGS, value_problems
from daro_verl.toolkit.recipes.shortcuts import VARIABLES, read_environment
from tests.toolkit.recipes.scripts import BASE_MODELS, CONFIG, SCRIPTS, settings_of

WRONG_VARIABLES = {
    "METHOD": "ppo", "INFER_BACKEND": "hf", "MODEL": " ", "TRAIN_FILES": "data/train.csv", "VAL_FILES": "test.json",
    "NNODES": "0", "GPUS": "eight", "TP": "0", "PP": "1.5", "SEED": "-1", "STEPS": "0", "OUTPUT": "  ",
    "RAY_ADDRESS": "head node", "DRY_RUN": "2", "SMOKE": "on", "GPU_SMOKE": "yes",
}  # fmt: skip
WRONG = {
    "INFER_BACKEND": "hf", "MODEL": "' '", "TRAIN_FILES": "data/train.csv", "VAL_FILES": "[a.parquet,test.json]",
    "NNODES": "0", "GPUS": "eight", "TP": "0", "PP": "1.5", "SEED": "-1", "STEPS": "0", "OUTPUT": "null",
    "MAX_PROMPT": "0", "MAX_RESPONSE": "8k", "OVERLONG_LEN": "-1", "OVERLONG_MAX": "x", "OVERLONG_PENALTY": "2",
    "GPU_MEMORY_GB": "0", "CP": "0", "ROLLOUT_TP": "x", "OFFLOAD": "maybe", "OFFLOAD_OPTIMIZER": "1", "BRIDGE": "none",
    "RECOMPUTE": "1", "MAX_TOKENS": "0", "DYNAMIC": "2", "ROLLOUT_MEMORY": "60", "MAX_LENGTH": "null", "BATCH": "-128",
    "MINI_BATCH": "0", "ROLLOUTS": "1", "TEMPERATURE": "0", "LR": "0", "WARMUP_STEPS": "-2", "WEIGHT_DECAY": "-0.1",
    "CLIP_GRAD": "0", "ENTROPY_COEFF": "nan", "CLIP_LOW": "0", "CLIP_HIGH": "28", "CLIP_C": "1", "SAVE_EVERY": "never",
    "KEEP": "0", "RESUME": "yes", "TEST_EVERY": "0", "VAL_FIRST": "1", "VAL_TEMPERATURE": "-0.1", "VAL_TOP_P": "1.1",
    "VAL_ROLLOUTS": "0", "LOGGER": "[file,paper]", "PROJECT": "a b", "NAME": "a/b",
}  # fmt: skip
RECOMPUTE = {
    f"actor_rollout_ref.actor.megatron.override_transformer_config.recompute_{name}"
    for name in ("method", "num_layers")
}
# What a recipe sets and no rule is about: names, switches and words that verl or DARO check themselves.
UNCHECKED = {
    "recipe.model", "recipe.method", "recipe.source", "recipe.published", "recipe.overlong_len",
    "algorithm.adv_estimator", "algorithm.use_kl_in_reward", "algorithm.daro.metrics", "algorithm.daro.weighting",
    "algorithm.daro.success_threshold", "algorithm.filter_groups.enable", "algorithm.filter_groups.metric",
    "critic.enable", "data.filter_overlong_prompts", "data.truncation", "data.seed", "reward.reward_manager.name",
    "reward.custom_reward_function.path", "reward.custom_reward_function.name",
    "reward.reward_kwargs.overlong_buffer_cfg.enable", "reward.reward_kwargs.overlong_buffer_cfg.log",
    "actor_rollout_ref.actor.loss_agg_mode", "actor_rollout_ref.actor.use_kl_loss",
    "actor_rollout_ref.actor.data_loader_seed", "actor_rollout_ref.actor.checkpoint.save_contents",
    "actor_rollout_ref.actor.optim.use_checkpoint_opt_param_scheduler", "actor_rollout_ref.actor.megatron.use_mbridge",
    "actor_rollout_ref.actor.megatron.seed", "actor_rollout_ref.rollout.seed",
    "actor_rollout_ref.actor.megatron.override_transformer_config.recompute_method",
    "actor_rollout_ref.actor.megatron.override_transformer_config.recompute_num_layers",
    "actor_rollout_ref.rollout.val_kwargs.do_sample", "trainer.total_epochs", "trainer.default_local_dir",
    "ray_kwargs.ray_init.runtime_env.env_vars.CUDA_DEVICE_MAX_CONNECTIONS",
}  # fmt: skip
FILES = [CONFIG / "daro.yaml", *CONFIG.glob("base_model/*.yaml"), *CONFIG.glob("method/*.yaml")]


@pytest.fixture(scope="module")
def right(dry_run):
    """The configuration with the most settings, nothing wrong."""
    config = dry_run(SCRIPTS[0], METHOD="dapo").config
    assert value_problems(config, {}) == []
    return config


@pytest.fixture
def dapo(right):
    """A copy of it, to be changed."""
    return copy.deepcopy(right)


def test_there_is_a_wrong_value_for_every_setting_and_variable():
    assert set(WRONG) == set(SETTINGS) - {"METHOD"}
    assert set(WRONG_VARIABLES) == VARIABLES


def test_every_setting_of_a_recipe_is_checked_or_known():
    assert {key for file in FILES for key in settings_of(file)} == (set(KEY.values()) - {"method"}) | UNCHECKED


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_setting_has_its_standing(file):
    settings = settings_of(file)
    assert settings
    for key, (_, comment) in settings.items():
        assert re.match(r"(paper|family|judgement|needed): \S", comment), key


def test_there_is_a_file_for_every_method():
    assert METHODS.expected == "one of daro, daro_paper, grpo, dapo, dr_grpo, lipo"
    for file in CONFIG.glob("method/*.yaml"):
        assert METHODS.allows(file.stem) and settings_of(file)["recipe.method"][0] == file.stem
    assert len(list(CONFIG.glob("method/*.yaml"))) == 6


@pytest.mark.parametrize("name", WRONG_VARIABLES)
def test_a_wrong_variable_is_refused_by_name(environment_of, capsys, name):
    environment = {**environment_of(), "DRY_RUN": "0", name: WRONG_VARIABLES[name]}
    assert start(CONFIG, ["base_model=qwen2.5_math_1.5b"], environment) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{name}: got ") and WRONG_VARIABLES[name] in line
    assert ", expected " in line and " Fix: " in line


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_argument_is_refused_by_name(dapo, name):
    OmegaConf.update(dapo, KEY[name], yaml.safe_load(WRONG[name]))
    first, *others = value_problems(dapo, {})
    assert first.startswith(f"{KEY[name]}: got ") and ", expected " in first and " Fix: " in first
    assert len(others) == (name in ("MAX_RESPONSE", "OFFLOAD"))  # another setting follows these


def test_all_wrong_values_are_reported_at_once(dry_run):
    arguments = [f"{KEY[name]}={value}" for name, value in WRONG.items() if name not in WRONG_VARIABLES]
    with pytest.raises(DaroConfigError) as error:
        dry_run(
            SCRIPTS[0],
            *arguments,
            "method=dapo",
            **{**WRONG_VARIABLES, "SMOKE": "0", "GPU_SMOKE": "0", "METHOD": "ppo"},
        )
    named = {line.split(": got")[0] for line in str(error.value).splitlines()}
    assert named == {*WRONG_VARIABLES, *(KEY[name] for name in WRONG if name not in WRONG_VARIABLES)} - {
        "SMOKE",
        "GPU_SMOKE",
    }


@pytest.mark.parametrize("name", sorted(set(SETTINGS) - VARIABLES))
def test_a_setting_that_is_no_variable_is_refused_with_its_argument(name):
    (problem,) = read_environment({name: "32"}).problems
    assert problem.startswith(
        f"{name}: got '32', expected an argument instead of a variable. Fix: run bash recipes/... "
    )
    assert f"{KEY[name]}=VALUE" in problem


@pytest.mark.parametrize(
    ("name", "expected"),
    [("BACKEND", "a variable of the recipes, perhaps INFER_BACKEND. Fix: set INFER_BACKEND"),
     ("DRYRUN", "a variable of the recipes, perhaps DRY_RUN. Fix: set DRY_RUN"),
     ("METHD", "a variable of the recipes, perhaps METHOD. Fix: set METHOD"),
     ("ROLLOUT", "a variable of the recipes, perhaps INFER_BACKEND. Fix: set INFER_BACKEND"),
     ("TRAINFILES", "a variable of the recipes, perhaps TRAIN_FILES. Fix: set TRAIN_FILES"),
     ("MINIBATCH", f"an argument instead of a variable. Fix: run bash recipes/... {KEY['MINI_BATCH']}=VALUE"),
     ("TEMPRATURE", f"an argument instead of a variable. Fix: run bash recipes/... {KEY['TEMPERATURE']}=VALUE"),
     ("LEARNING_RATE", f"an argument instead of a variable. Fix: run bash recipes/... {KEY['LR']}=VALUE")],
)  # fmt: skip
def test_a_misspelled_variable_is_refused(environment_of, capsys, name, expected):
    environment = {**environment_of(), name: "32"}
    assert start(CONFIG, ["base_model=qwen2.5_math_1.5b"], environment) == 2
    assert capsys.readouterr().err.startswith(f"{name}: got '32', expected {expected}")


OTHERS = """PATH HOME SHELL USER LOGNAME HOSTNAME LANG TERM PWD OLDPWD SHLVL TMP TMPDIR TEMP EDITOR PAGER MAIL PYTHON
PYTHONPATH VIRTUAL_ENV CONDA_PREFIX CUDA_HOME CUDA_VISIBLE_DEVICES LD_LIBRARY_PATH MASTER_ADDR MASTER_PORT WORLD_SIZE
RANK LOCAL_RANK NODE_RANK NPROC_PER_NODE SLURM_NNODES SLURM_NODEID SLURM_GPUS SLURM_JOB_NAME SLURM_GPUS_ON_NODE
NCCL_DEBUG OMP_NUM_THREADS HF_HOME HF_TOKEN WANDB_API_KEY WANDB_PROJECT WANDB_NAME PROJECT_ID PROJECT_DIR MODEL_DIR
MODEL_ID MODEL_NAME OUTPUT_DIR RAY_HEAD_ADDRESS RAY_GCS_ADDRESS RAY_TMPDIR VERL_PLATFORM VLLM_USE_V1 NUM_GPUS NUM_NODES
GPU_COUNT MPLBACKEND DATA OUT CLUSTER_NAME HERE RECIPE""".split()


def test_variables_of_other_programs_are_left_alone(environment_of):
    assert read_environment({**dict.fromkeys(OTHERS, "1"), **environment_of()}).problems == []


def test_recipes_differ_only_in_settings_of_the_model():
    small, large, llama = (
        {key: value for key, (value, _) in settings_of(CONFIG / "base_model" / f"{name}.yaml").items()}
        for name in BASE_MODELS.values()
    )
    own = {"recipe.model", "recipe.source", "recipe.published", KEY["MODEL"]}
    assert set(small) == set(large) == set(llama)
    assert {key for key in small if small[key] != large[key]} == own | {
        KEY["TP"], KEY["OFFLOAD"], KEY["MAX_TOKENS"], KEY["RECOMPUTE"], *RECOMPUTE
    }  # fmt: skip
    assert {key for key in large if large[key] != llama[key]} == own | {
        KEY["TRAIN_FILES"], KEY["VAL_FILES"], KEY["MAX_RESPONSE"], KEY["MAX_LENGTH"], "recipe.overlong_len",
        KEY["MAX_TOKENS"],
    }  # fmt: skip
