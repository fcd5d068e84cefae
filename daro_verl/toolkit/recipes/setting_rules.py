"""Every setting that a recipe decides or checks: its short name, verl's key, and its allowed values.

A setting that is a shortcut is also an environment variable of that name.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from daro_verl.errors import problem

ACTOR, ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
MEGATRON, VALIDATION = f"{ACTOR}.megatron", f"{ROLLOUT}.val_kwargs"
REWARD = "reward.reward_kwargs"
OVERLONG = f"{REWARD}.overlong_buffer_cfg"
LOGGERS = ["console", "file", "tensorboard", "wandb", "swanlab", "mlflow", "clearml", "trackio", "vemlp_wandb",
           "rl_insight"]  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """``expected``: the allowed values in words. ``allows``: whether a value is one of them."""

    expected: str
    allows: Callable[[Any], bool]


def whole(low: int, *others: int | None) -> Rule:
    """A whole number from ``low`` on, or one of ``others``."""
    words = "".join(f", or {other}" for other in others)
    return Rule(f"a whole number >= {low}{words}", lambda value: value in others or _is(value, int) and value >= low)


def number(low: float, high: float = math.inf, *, or_low: bool = False) -> Rule:
    """A finite number above ``low`` (or from it on), up to ``high``."""

    def allows(value: Any) -> bool:
        above = _is(value, int | float) and (value > low or (or_low and value == low))
        return above and value <= high and math.isfinite(value)

    words = f"a number {'>=' if or_low else '>'} {low:g}" + (f" and <= {high:g}" if high < math.inf else "")
    return Rule(words, allows)


def one_of(*values: Any) -> Rule:
    """One of these values."""
    return Rule(f"one of {', '.join(map(str, values))}", lambda value: value in values)


def items_of(value: Any) -> list[Any]:
    """The values of a setting that verl takes as one value or several."""
    return list(value) if isinstance(value, ListConfig) else [value]


def _is(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _are_files(value: Any) -> bool:
    return bool(items_of(value)) and all(str(file).strip().endswith(".parquet") for file in items_of(value))


def _are_loggers(value: Any) -> bool:
    return set(items_of(value)) <= set(LOGGERS) and len(set(items_of(value))) == len(items_of(value))


COUNT, SHARE, COEFFICIENT = whole(1), number(0, 1), number(0, or_low=True)
SWITCH = Rule("True or False", lambda value: isinstance(value, bool))
PATH = Rule("a path", lambda value: isinstance(value, str) and bool(value.strip()))
FILES = Rule("paths that end in .parquet", _are_files)
NAME = Rule("letters, digits, '.', '_' and '-'", lambda value: bool(re.fullmatch(r"[A-Za-z0-9][\w.-]*", str(value))))
METHOD_NAMES = ("daro", "daro_paper", "grpo", "dapo", "dr_grpo", "lipo")
METHODS = one_of(*METHOD_NAMES)


@dataclass(frozen=True)
class Setting:
    """A setting. ``shortcut``: also an environment variable. ``of_penalty``: only for a penalty on long responses."""

    name: str
    key: str
    rule: Rule
    shortcut: bool = False
    of_penalty: bool = False


_ALL = (
    Setting("METHOD", "method", METHODS, shortcut=True),
    Setting("INFER_BACKEND", f"{ROLLOUT}.name", one_of("vllm", "sglang"), shortcut=True),
    Setting("MODEL", "actor_rollout_ref.model.path", PATH, shortcut=True),
    Setting("TRAIN_FILES", "data.train_files", FILES, shortcut=True),
    Setting("VAL_FILES", "data.val_files", FILES, shortcut=True),
    Setting("NNODES", "trainer.nnodes", COUNT, shortcut=True),
    Setting("GPUS", "trainer.n_gpus_per_node", COUNT, shortcut=True),
    Setting("TP", f"{MEGATRON}.tensor_model_parallel_size", COUNT, shortcut=True),
    Setting("PP", f"{MEGATRON}.pipeline_model_parallel_size", COUNT, shortcut=True),
    Setting("SEED", "recipe.seed", whole(0), shortcut=True),
    Setting("STEPS", "trainer.total_training_steps", COUNT, shortcut=True),
    Setting("OUTPUT", "recipe.output", PATH, shortcut=True),
    Setting("CP", f"{MEGATRON}.context_parallel_size", COUNT),
    Setting("ROLLOUT_TP", f"{ROLLOUT}.tensor_model_parallel_size", COUNT),
    Setting("GPU_MEMORY_GB", "recipe.gpu_memory_gb", number(0)),
    Setting("BRIDGE", f"{MEGATRON}.vanilla_mbridge", SWITCH),
    Setting("OFFLOAD", f"{MEGATRON}.param_offload", SWITCH),
    Setting("OFFLOAD_OPTIMIZER", f"{MEGATRON}.optimizer_offload", SWITCH),
    Setting(
        "RECOMPUTE", f"{MEGATRON}.override_transformer_config.recompute_granularity", one_of("full", "selective", None)
    ),
    Setting("MAX_TOKENS", f"{ACTOR}.ppo_max_token_len_per_gpu", COUNT),
    Setting("DYNAMIC", f"{ACTOR}.use_dynamic_bsz", SWITCH),
    Setting("ROLLOUT_MEMORY", f"{ROLLOUT}.gpu_memory_utilization", SHARE),
    Setting("MAX_PROMPT", "data.max_prompt_length", COUNT),
    Setting("MAX_RESPONSE", "data.max_response_length", COUNT),
    Setting("MAX_LENGTH", f"{ROLLOUT}.max_model_len", COUNT),
    Setting("BATCH", "data.train_batch_size", COUNT),
    Setting("MINI_BATCH", f"{ACTOR}.ppo_mini_batch_size", COUNT),
    Setting("ROLLOUTS", f"{ROLLOUT}.n", whole(2)),
    Setting("TEMPERATURE", f"{ROLLOUT}.temperature", number(0)),
    Setting("LR", f"{ACTOR}.optim.lr", SHARE),
    Setting("WARMUP_STEPS", f"{ACTOR}.optim.lr_warmup_steps", whole(0, -1)),
    Setting("WEIGHT_DECAY", f"{ACTOR}.optim.weight_decay", COEFFICIENT),
    Setting("CLIP_GRAD", f"{ACTOR}.optim.clip_grad", number(0)),
    Setting("ENTROPY_COEFF", f"{ACTOR}.entropy_coeff", COEFFICIENT),
    Setting("CLIP_LOW", f"{ACTOR}.clip_ratio_low", SHARE),
    Setting("CLIP_HIGH", f"{ACTOR}.clip_ratio_high", SHARE),
    Setting("CLIP_C", f"{ACTOR}.clip_ratio_c", number(1)),
    Setting("OVERLONG_LEN", f"{OVERLONG}.len", COUNT, of_penalty=True),
    Setting("OVERLONG_MAX", f"{REWARD}.max_resp_len", COUNT, of_penalty=True),
    Setting("OVERLONG_PENALTY", f"{OVERLONG}.penalty_factor", SHARE, of_penalty=True),
    Setting("SAVE_EVERY", "trainer.save_freq", whole(1, -1)),
    Setting("KEEP", "trainer.max_actor_ckpt_to_keep", whole(1, None)),
    Setting("RESUME", "trainer.resume_mode", one_of("auto", "disable", "resume_path")),
    Setting("TEST_EVERY", "trainer.test_freq", whole(1, -1)),
    Setting("VAL_FIRST", "trainer.val_before_train", SWITCH),
    Setting("VAL_TEMPERATURE", f"{VALIDATION}.temperature", COEFFICIENT),
    Setting("VAL_TOP_P", f"{VALIDATION}.top_p", SHARE),
    Setting("VAL_ROLLOUTS", f"{VALIDATION}.n", COUNT),
    Setting("LOGGER", "trainer.logger", Rule(f"some of {', '.join(LOGGERS)}", _are_loggers)),
    Setting("PROJECT", "trainer.project_name", NAME),
    Setting("NAME", "trainer.experiment_name", NAME),
)
SETTINGS = {setting.name: setting for setting in _ALL}
KEY = {setting.name: setting.key for setting in _ALL}


def value_problems(config: DictConfig, variables: Mapping[str, str]) -> list[str]:
    """A problem for each setting whose value is not allowed.

    Args:
        variables: the name of the environment variable that set a key, by key.
    """
    penalty, problems = OmegaConf.select(config, f"{OVERLONG}.enable"), []
    for setting in SETTINGS.values():
        key = "recipe.method" if setting.name == "METHOD" else setting.key
        value, name = OmegaConf.select(config, key), variables.get(setting.key, key)
        if (penalty or not setting.of_penalty) and not setting.rule.allows(value):
            got = items_of(value) if isinstance(value, ListConfig) else value
            fix = f"set {name} to such a value, or remove it to use the recipe's own"
            problems.append(problem(name, got, setting.rule.expected, fix))
    return problems
