"""The numbers of a job that the checks compare."""

from dataclasses import dataclass, fields
from typing import Any

from omegaconf import DictConfig, OmegaConf

from daro_verl.toolkit.recipes.setting_rules import ACTOR, KEY, OVERLONG


@dataclass(frozen=True)
class Sizes:
    """Settings by name. Batches are in prompts, ``micro_batch`` in responses, lengths in tokens.

    Without a penalty on long responses, ``overlong_*`` are None.
    """

    batch: int
    mini_batch: int
    rollouts: int
    max_prompt: int
    max_response: int
    max_length: int
    max_tokens: int
    dynamic: bool
    micro_batch: int | None
    tp: int
    pp: int
    cp: int
    rollout_tp: int
    gpus: int
    nnodes: int
    rollout_memory: float
    offload: bool
    offload_optimizer: bool
    recompute: str | None
    overlong_len: int | None
    overlong_max: int | None

    @property
    def micro_tokens(self) -> int:
        """The most tokens of a micro-batch. ``max_tokens`` bounds only those that are packed by their lengths."""
        if self.dynamic or self.micro_batch is None:
            return self.max_tokens
        return self.micro_batch * (self.max_prompt + self.max_response)

    @property
    def world(self) -> int:
        """Number of GPUs on all nodes."""
        return self.gpus * self.nnodes

    @property
    def dp(self) -> int:
        """Number of data-parallel ranks, rounded down if the GPUs do not divide evenly."""
        return self.world // (self.tp * self.pp * self.cp)


def read_sizes(config: DictConfig) -> Sizes:
    """Read a configuration whose values :func:`~daro_verl.toolkit.recipes.setting_rules.value_problems` allows."""
    keys = KEY | {"MICRO_BATCH": f"{ACTOR}.ppo_micro_batch_size_per_gpu"}  # which no recipe sets
    values: dict[str, Any] = {field.name: OmegaConf.select(config, keys[field.name.upper()]) for field in fields(Sizes)}
    if not OmegaConf.select(config, f"{OVERLONG}.enable"):
        values |= {"overlong_len": None, "overlong_max": None}
    return Sizes(**values)
