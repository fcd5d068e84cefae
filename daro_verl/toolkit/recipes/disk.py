"""An estimate of what checkpoints take on the disk. Not measured on a GPU.

With ``P`` the parameters of the model, a checkpoint is 14 P bytes: 2 P weights in bfloat16 in Hugging Face's format,
12 P of the optimizer (float32 weights and two moments). verl keeps ``trainer.max_actor_ckpt_to_keep`` of them; with 1
the old one goes when the new one is whole, so that there are two for a while.

``recipes/paper_table.sh`` keeps the weights of each finished run's last step, and removes the rest.
"""

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from daro_verl.errors import problem
from daro_verl.toolkit.models.shape import Shape
from daro_verl.toolkit.recipes.memory import GB, OPTIMIZER, WEIGHT, num_parameters
from daro_verl.toolkit.recipes.setting_rules import KEY


@dataclass(frozen=True)
class Checkpoints:
    """``size``: bytes of one. ``weights``: bytes of its weights alone. ``number``: at the same time."""

    size: float
    weights: float
    number: int

    @property
    def total(self) -> float:
        """Bytes at the same time."""
        return self.size * self.number


def checkpoints_of(config: DictConfig, shape: Shape) -> Checkpoints:
    """What a run of ``config`` will have in ``recipe.output`` at most."""
    parameters, trainer = num_parameters(shape), config.trainer
    every, keep = trainer.save_freq, trainer.max_actor_ckpt_to_keep
    saves = 0 if every < 1 else math.ceil(trainer.total_training_steps / every)  # verl saves after the last step too
    number = saves if keep is None else min(saves, max(2, keep))
    return Checkpoints((WEIGHT + OPTIMIZER) * parameters, WEIGHT * parameters, number)


def free(place: Path) -> float:
    """Bytes that are left where ``place`` is or will be."""
    return float(shutil.disk_usage(next(folder for folder in (place, *place.parents) if folder.exists())).free)


def taken(place: Path) -> float:
    """Bytes of the files in ``place``; what is removed meanwhile counts nothing."""
    return float(sum(path.lstat().st_size for path in place.rglob("*") if path.is_file())) if place.exists() else 0.0


def disk_problems(config: DictConfig, found: Checkpoints) -> list[str]:
    """Whether the checkpoints fit, of which a run that goes on has some already."""
    place = Path(config.trainer.default_local_dir)
    room = free(place) + taken(place)
    if found.total <= room:
        return []
    got, expected = f"{room / GB:.0f} GB for {place}", f"{found.total / GB:.0f} GB (an estimate): {in_words(found)}"
    fix = "an OUTPUT on a larger disk" + (f", or {KEY['KEEP']}=2" if found.number > 2 else "")
    return [problem("disk", got, expected, fix)]


def in_words(found: Checkpoints) -> str:
    """For instance ``2 checkpoints of 112 GB``."""
    return f"{found.number} checkpoints of {found.size / GB:.1f} GB"


def table_size(runs: Sequence[Checkpoints]) -> float:
    """Bytes at most: the weights of each run's last step, and what the largest training has while it is under way."""
    return sum(found.weights for found in runs) + max(found.total - found.weights for found in runs)


def table_problems(needed: float, place: Path) -> list[str]:
    """Whether a table of ``needed`` bytes fits into ``place``, which may hold some of it already."""
    room = free(place) + taken(place)
    if needed <= room:
        return []
    fix = "one model at a time, or a larger disk"
    return [problem("disk", f"{room / GB:.0f} GB for {place}", f"about {needed / GB:.0f} GB (an estimate)", fix)]
