"""Every knob of the recipes: its values, and the keys of verl that it sets.

Defaults are in the shell scripts, each with its standing.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from daro_verl.errors import got_expected_fix
from daro_verl.toolkit.recipes.errors import DaroRecipeError
from daro_verl.toolkit.recipes.kinds import (
    Kind,
    matching,
    number,
    one_of,
    or_word,
    parquet_files,
    path,
    switch,
    whole,
    words,
)  # fmt: skip
from daro_verl.toolkit.recipes.methods import METHODS
from daro_verl.toolkit.recipes.misspelled import misspelled
from daro_verl.toolkit.recipes.shapes import PUBLISHED

ACTOR, ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
MEGATRON = f"{ACTOR}.megatron"
RECOMPUTE = f"{MEGATRON}.override_transformer_config.recompute"
OVERLONG = "reward.reward_kwargs.overlong_buffer_cfg"
LOGGERS = ("console", "file", "tensorboard", "wandb", "swanlab", "mlflow", "clearml", "trackio")
RECIPE = "RECIPE"  # set by a script itself: which model it is for
Values = dict[str, Any]  # by knob


@dataclass(frozen=True)
class Knob:
    """``keys``: of verl, in this order; none for a knob of the recipe itself or of Ray. ``spread``: the value of each
    key; by default the knob's own, and nothing where it is None."""

    name: str
    kind: Kind
    keys: tuple[str, ...] = ()
    spread: Callable[[Any], tuple[Any, ...]] | None = None

    def read(self, text: str) -> Any:
        """The value.

        Raises:
            DaroRecipeError: the text is none.
        """
        try:
            return self.kind.read(text)
        except ValueError:
            fix = f"set {self.name} accordingly, or unset it for the recipe's own value"
            raise DaroRecipeError(got_expected_fix(self.name, text, self.kind.expected, fix)) from None

    def settings(self, value: Any) -> dict[str, Any]:
        """What verl is told."""
        values = self.spread(value) if self.spread else (value,) * len(self.keys)
        return {key: item for key, item in zip(self.keys, values, strict=True) if item is not None}


_NAME = matching(r"[A-Za-z0-9][\w.-]*", "letters, digits, '.', '_' and '-'")
_ADDRESS = matching(r"auto|(ray://)?[\w.-]+:\d+", "auto, HOST:PORT or ray://HOST:PORT")
_PARALLEL, _CLIP = whole(1), or_word("method", number(0, 1, without_low=True))

KNOBS = {
    knob.name: knob
    for knob in (
        Knob("METHOD", one_of(*METHODS), ("algorithm.daro.weighting",), lambda name: (METHODS[name].weighting,)),
        Knob("INFER_BACKEND", one_of("vllm", "sglang"), (f"{ROLLOUT}.name",)),
        Knob("MODEL", path, ("actor_rollout_ref.model.path",)),
        Knob("TRAIN_FILES", parquet_files, ("data.train_files",)),
        Knob("VAL_FILES", parquet_files, ("data.val_files",)),
        Knob("MAX_PROMPT", whole(1), ("data.max_prompt_length",)),
        Knob("MAX_RESPONSE", whole(1), ("data.max_response_length",)),
        Knob("OVERLONG_LEN", whole(1), (f"{OVERLONG}.len",)),
        Knob("OVERLONG_PENALTY", number(0, 1, without_low=True), (f"{OVERLONG}.penalty_factor",)),
        Knob("NNODES", whole(1), ("trainer.nnodes",)),
        Knob("GPUS", whole(1), ("trainer.n_gpus_per_node",)),
        Knob("GPU_MEMORY_GB", number(0, without_low=True)),
        Knob("RAY_ADDRESS", or_word("none", _ADDRESS)),
        Knob("TP", _PARALLEL, (f"{MEGATRON}.tensor_model_parallel_size",)),
        Knob("PP", _PARALLEL, (f"{MEGATRON}.pipeline_model_parallel_size",)),
        Knob("CP", _PARALLEL, (f"{MEGATRON}.context_parallel_size",)),
        Knob("ROLLOUT_TP", _PARALLEL, (f"{ROLLOUT}.tensor_model_parallel_size",)),
        Knob("OFFLOAD", switch, (f"{MEGATRON}.param_offload", f"{MEGATRON}.optimizer_offload")),
        Knob("BRIDGE", one_of("megatron-bridge", "mbridge"), (f"{MEGATRON}.vanilla_mbridge",),
             lambda name: (name == "mbridge",)),
        Knob("RECOMPUTE", one_of("full", "none"),
             (f"{RECOMPUTE}_granularity", f"{RECOMPUTE}_method", f"{RECOMPUTE}_num_layers"),
             lambda name: ("full", "uniform", 1) if name == "full" else (None, None, None)),
        Knob("MAX_TOKENS", whole(1), (f"{ACTOR}.ppo_max_token_len_per_gpu",)),
        Knob("ROLLOUT_MEMORY", number(0, 1, without_low=True), (f"{ROLLOUT}.gpu_memory_utilization",)),
        Knob("BATCH", whole(1), ("data.train_batch_size",)),
        Knob("MINI_BATCH", whole(1), (f"{ACTOR}.ppo_mini_batch_size",)),
        Knob("ROLLOUTS", whole(2), (f"{ROLLOUT}.n",)),
        Knob("TEMPERATURE", number(0, without_low=True), (f"{ROLLOUT}.temperature",)),
        Knob("LR", number(0, 1, without_low=True), (f"{ACTOR}.optim.lr",)),
        Knob("WARMUP_STEPS", whole(0), (f"{ACTOR}.optim.lr_warmup_steps",)),
        Knob("WEIGHT_DECAY", number(0), (f"{ACTOR}.optim.weight_decay",)),
        Knob("CLIP_GRAD", number(0, without_low=True), (f"{ACTOR}.optim.clip_grad",)),
        Knob("ENTROPY_COEFF", number(0), (f"{ACTOR}.entropy_coeff",)),
        Knob("CLIP_LOW", _CLIP, (f"{ACTOR}.clip_ratio_low",)),
        Knob("CLIP_HIGH", _CLIP, (f"{ACTOR}.clip_ratio_high",)),
        Knob("CLIP_C", or_word("method", number(1, without_low=True)), (f"{ACTOR}.clip_ratio_c",)),
        Knob("STEPS", whole(1), ("trainer.total_training_steps",)),
        Knob("SAVE_EVERY", whole(1), ("trainer.save_freq",)),
        Knob("KEEP", whole(1), ("trainer.max_actor_ckpt_to_keep",)),
        Knob("RESUME", one_of("auto", "disable"), ("trainer.resume_mode",)),
        Knob("TEST_EVERY", whole(1), ("trainer.test_freq",)),
        Knob("VAL_FIRST", switch, ("trainer.val_before_train",)),
        Knob("VAL_TEMPERATURE", number(0, without_low=True), (f"{ROLLOUT}.val_kwargs.temperature",)),
        Knob("VAL_TOP_P", number(0, 1, without_low=True), (f"{ROLLOUT}.val_kwargs.top_p",)),
        Knob("VAL_ROLLOUTS", whole(1), (f"{ROLLOUT}.val_kwargs.n",)),
        Knob("SEED", whole(0), ("data.seed", f"{ACTOR}.data_loader_seed", f"{MEGATRON}.seed", f"{ROLLOUT}.seed")),
        Knob("LOGGER", words(*LOGGERS), ("trainer.logger",)),
        Knob("PROJECT", _NAME, ("trainer.project_name",)),
        Knob("NAME", _NAME, ("trainer.experiment_name",)),
        Knob("OUTPUT", path, ("trainer.default_local_dir",), lambda folder: (os.path.join(folder, "checkpoints"),)),
        Knob("DRY_RUN", switch),
        Knob("SMOKE", switch),
    )
}  # fmt: skip


def read_knobs(environment: Mapping[str, str]) -> Values:
    """The value of every knob, and ``RECIPE``.

    Raises:
        DaroRecipeError: with every knob that is wrong, absent or misspelled.
    """
    values, problems = {}, misspelled(environment, KNOBS)
    for name, knob in {RECIPE: Knob(RECIPE, one_of(*PUBLISHED)), **KNOBS}.items():
        try:
            values[name] = knob.read(environment.get(name, ""))
        except DaroRecipeError as error:
            problems.append(str(error))
    if problems:
        raise DaroRecipeError.of(problems)
    return values


def name_knobs(message: str) -> str:
    """``message``, with the knobs of the keys of verl that it names."""
    names = [
        f"{knob.name} sets {key}" for knob in KNOBS.values() for key in knob.keys if key in message.replace("'", "")
    ]
    return f"{message} ({'; '.join(names)})" if names else message
