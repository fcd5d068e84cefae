"""The task of the quickstart: a model, its data, and the settings of verl that depend on them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

GROUP_SIZE = 8  # responses per prompt


@dataclass(frozen=True)
class Start:
    """The model and data from which a job starts, and lines about them to print."""

    model: Path
    data: dict[str, Path]  # parquet by split
    lines: list[str]


@dataclass(frozen=True)
class Task:
    """A model and what it learns."""

    prepare: Callable[[Path, bool], Start]
    """Makes data and model below a directory, or finds them there. The flag asks for small ones, as a test."""
    sources: dict[str, str]
    """verl's data source of each level, easiest first; verl validates per data source."""
    reward: Path
    """The file of the reward function. It returns ``source`` with the score, so that verl's dumps name it."""
    steps: int
    save_freq: int
    max_prompt_length: int  # tokens
    max_response_length: int
    batch_size: int  # prompts, one optimizer step
    micro_batch: int  # responses
    learning_rate: float
    num_devices: int  # training ranks, and as many rollout servers
    tensor_parallel: int
    dtype: str  # of the model, in training and on the servers
    settings: tuple[str, ...] = ()
    """Further overrides for verl."""
