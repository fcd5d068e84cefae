"""An estimate of the disk space of checkpoints. Not measured on a GPU.

Let ``P`` be the parameters of the model. A checkpoint takes 14 P bytes:

- 2 P for the weights, in bfloat16 in Hugging Face's format;
- 12 P for the optimizer (float32 weights and two moments).

verl keeps ``trainer.max_actor_ckpt_to_keep`` checkpoints. With 1, it removes the old one when the new one is complete,
so there are two for a while. It knows only those of the present start: after a resume, the earlier ones stay.
``recipes/paper_table.sh`` keeps the weights of each finished run's last step, and removes the rest.
"""

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from omegaconf import DictConfig

from daro_verl.errors import problem
from daro_verl.resume import tracked_step
from daro_verl.toolkit.models.shape import Shape
from daro_verl.toolkit.recipes.memory import GB, OPTIMIZER, WEIGHT, num_parameters
from daro_verl.toolkit.recipes.setting_rules import KEY


@dataclass(frozen=True)
class Checkpoints:
    """``size``: bytes of one. ``weights``: bytes of its weights. ``number``: how many exist at the same time."""

    size: float
    weights: float
    number: int

    @property
    def total(self) -> float:
        """Bytes of all checkpoints that exist at the same time."""
        return self.size * self.number


def checkpoints_of(config: DictConfig, shape: Shape) -> Checkpoints:
    """The most checkpoints that a run of ``config`` will have in ``recipe.output``."""
    parameters, trainer = num_parameters(shape), config.trainer
    every, keep = trainer.save_freq, trainer.max_actor_ckpt_to_keep
    saves = 0 if every < 1 else math.ceil(trainer.total_training_steps / every)  # verl saves after the last step too
    number = saves if keep is None else min(saves, max(2, keep))
    return Checkpoints((WEIGHT + OPTIMIZER) * parameters, WEIGHT * parameters, number)


def free(place: Path) -> float:
    """Free bytes on the disk where ``place`` is or will be."""
    return float(shutil.disk_usage(next(folder for folder in (place, *place.parents) if folder.exists())).free)


def taken(place: Path) -> float:
    """Bytes of the files in ``place``."""
    return float(sum(path.lstat().st_size for path in place.rglob("*") if path.is_file())) if place.exists() else 0.0


def disk_problems(config: DictConfig, found: Checkpoints) -> list[str]:
    """Check that the checkpoints fit that this start will write, beside those that an earlier one left."""
    place = Path(config.trainer.default_local_dir)
    room, latest = free(place), tracked_step(place)  # a later checkpoint may be torn
    if latest is not None:
        left = math.ceil((config.trainer.total_training_steps - latest) / max(1, config.trainer.save_freq))
        found = replace(found, number=min(found.number, max(0, left)))
    if found.total <= room:
        return []
    got, expected = f"{room / GB:.0f} GB for {place}", f"{found.total / GB:.0f} GB (an estimate): {in_words(found)}"
    fix = "set an OUTPUT on a larger disk" + (f", or {KEY['KEEP']}=2" if found.number > 2 else "")
    if latest is not None and len(list(place.glob("global_step_*"))) > 1:
        fix += f", or remove the checkpoints but global_step_{latest}: verl leaves those of earlier starts"
    return [problem("disk", got, expected, fix)]


def in_words(found: Checkpoints) -> str:
    """Number and size in words, for example ``2 checkpoints of 112.0 GB``."""
    return f"{found.number} checkpoints of {found.size / GB:.1f} GB"


def table_size(runs: Sequence[Checkpoints]) -> float:
    """The most bytes at a time: the weights of each run's last step, and all other files of the largest training."""
    return sum(found.weights for found in runs) + max(found.total - found.weights for found in runs)


def table_problems(needed: float, place: Path, runs: Sequence[str]) -> list[str]:
    """Check that a table of ``needed`` bytes fits into ``place``. Folders named in ``runs`` are already part of it."""
    room = free(place) + sum(taken(folder) for pattern in runs for folder in place.glob(pattern))
    if needed <= room:
        return []
    fix = "run one model at a time, or use a larger disk"
    return [problem("disk", f"{room / GB:.0f} GB for {place}", f"about {needed / GB:.0f} GB (an estimate)", fix)]
