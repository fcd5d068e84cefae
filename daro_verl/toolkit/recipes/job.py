"""The numbers of a job that arithmetic is about, read from verl's final configuration."""

from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from daro_verl.errors import got_expected_fix
from daro_verl.toolkit.recipes.errors import DaroRecipeError

_ACTOR, _ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
_OVERLONG = "reward.reward_kwargs.overlong_buffer_cfg"
_WHOLE = {
    "batch": "data.train_batch_size",
    "mini_batch": f"{_ACTOR}.ppo_mini_batch_size",
    "rollouts": f"{_ROLLOUT}.n",
    "prompt": "data.max_prompt_length",
    "response": "data.max_response_length",
    "max_model_len": f"{_ROLLOUT}.max_model_len",
    "max_tokens": f"{_ACTOR}.ppo_max_token_len_per_gpu",
    "tp": f"{_ACTOR}.megatron.tensor_model_parallel_size",
    "pp": f"{_ACTOR}.megatron.pipeline_model_parallel_size",
    "cp": f"{_ACTOR}.megatron.context_parallel_size",
    "rollout_tp": f"{_ROLLOUT}.tensor_model_parallel_size",
    "gpus_per_node": "trainer.n_gpus_per_node",
    "nnodes": "trainer.nnodes",
}
_SWITCHES = {
    "dynamic": f"{_ACTOR}.use_dynamic_bsz",
    "offload_weights": f"{_ACTOR}.megatron.param_offload",
    "offload_optimizer": f"{_ACTOR}.megatron.optimizer_offload",
}
_SHARES = {"rollout_memory": f"{_ROLLOUT}.gpu_memory_utilization"}
_EXPECTED = {int: "a whole number >= 1", bool: "True or False", float: "a number > 0"}


@dataclass(frozen=True)
class Job:
    """Batches in prompts, lengths in tokens. ``max_tokens``: of a micro-batch per GPU. ``dynamic``: micro-batches are
    made by tokens. ``overlong``: length of DAPO's penalty and the longest response it knows; None without."""

    batch: int
    mini_batch: int
    rollouts: int
    prompt: int
    response: int
    max_model_len: int
    max_tokens: int
    dynamic: bool
    tp: int
    pp: int
    cp: int
    rollout_tp: int
    gpus_per_node: int
    nnodes: int
    rollout_memory: float
    offload_weights: bool
    offload_optimizer: bool
    recompute: bool
    overlong: tuple[int, int] | None

    @property
    def world(self) -> int:
        """GPUs in all."""
        return self.gpus_per_node * self.nnodes

    @property
    def dp(self) -> int:
        """Data-parallel ranks; rounded down where the ranks do not divide."""
        return self.world // (self.tp * self.pp * self.cp)


def read_job(config: DictConfig) -> Job:
    """The numbers of ``config``.

    Raises:
        DaroRecipeError: with every one that is no number, as an argument can make it.
    """
    kinds = {**dict.fromkeys(_WHOLE, int), **dict.fromkeys(_SWITCHES, bool), **dict.fromkeys(_SHARES, float)}
    keys = {**_WHOLE, **_SWITCHES, **_SHARES}
    problems: list[str] = []
    values = {name: _read(config, key, kinds[name], problems) for name, key in keys.items()}
    overlong = None
    if OmegaConf.select(config, f"{_OVERLONG}.enable"):
        names = (f"{_OVERLONG}.len", "reward.reward_kwargs.max_resp_len")
        overlong = tuple(_read(config, name, int, problems) for name in names)
    recompute = OmegaConf.select(config, f"{_ACTOR}.megatron.override_transformer_config.recompute_granularity")
    if problems:
        raise DaroRecipeError.of(problems)
    return Job(**values, recompute=recompute == "full", overlong=overlong)


def _read(config: DictConfig, key: str, kind: type, problems: list[str]) -> Any:
    value = OmegaConf.select(config, key)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    if not (isinstance(value, bool) if kind is bool else is_number and (kind is float or isinstance(value, int))):
        fix = f"set {key} accordingly, or leave the argument out"
        problems.append(got_expected_fix(key, value, _EXPECTED[kind], fix))
    return value
