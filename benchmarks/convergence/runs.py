"""One run, and the key of its result."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.convergence import evaluation, model, task, warm_start, writers
from benchmarks.convergence.regimes import Regime
from daro_verl.prompts.selection import UNIFORM

FORMAT = 3  # raise it where a change of the code makes earlier results wrong


@dataclass(frozen=True)
class Method:
    """What is compared.

    Attributes:
        name: in tables.
        options: of ``algorithm.daro``.
        clip_high: PPO's upper clip; the lower one is 0.2.
        dynamic_sampling: whether prompts with pass rate 0 or 1 are replaced before training.
        aligned: whether the weights follow the alignment of the bins' gradients (``alignment.py``).
        prompts: which problems of a finite training set are generated for, one of ``daro_verl.prompts.selection``'s
            choices: ``uniform``, ``informative`` or ``band``.
        band: lowest and highest predicted pass rate of ``band``; 0.1 to 0.9 unless said otherwise.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    clip_high: float = 0.2
    dynamic_sampling: bool = False
    aligned: bool = False
    prompts: str = UNIFORM
    band: tuple[float, float] = (0.1, 0.9)


@dataclass(frozen=True)
class Schedule:
    """Length of a run, in rounds of ``Regime.num_mini_batches`` optimizer steps, and of its warm start."""

    num_rounds: int
    evaluate_every: int
    warm_start_steps: int = warm_start.NUM_STEPS


@dataclass(frozen=True)
class Run:
    """One training: everything that determines its result, but for the name of the method."""

    method: Method
    regime: Regime
    seed: int
    learning_rate: float
    schedule: Schedule

    @property
    def label(self) -> str:
        return f"{self.regime.name}, {self.method.name}, lr {self.learning_rate:g}, seed {self.seed}"

    def settings(self) -> dict[str, Any]:
        """Plain values; equal settings give equal results."""
        settings = {"format": FORMAT, **asdict(self), "constants": _constants()}
        settings["method"] = {name: value for name, value in asdict(self.method).items() if name != "name"}
        return settings

    def file(self, folder: Path) -> Path:
        """Where the result is kept. Another setting is another file, so an outdated result is never found."""
        return folder / "runs" / f"{self.regime.name}-{self.seed}-{digest(self.settings())}.npz"

    def warm_start_file(self, folder: Path) -> Path:
        """Where the model is kept that the run starts from; runs of other methods and learning rates share it."""
        settings = {
            "format": FORMAT,
            "writing": asdict(self.regime.writing),
            "seed": self.seed,
            "steps": self.schedule.warm_start_steps,
            "constants": _constants(),
        }
        return folder / "warm_starts" / f"{self.seed}-{digest(settings)}.pt"


def digest(settings: Mapping[str, Any]) -> str:
    """A short name for plain values, the same in every process."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def _constants() -> dict[str, Any]:
    """Constants of the modules that a result depends on."""
    modules = (task, model, writers, warm_start, evaluation)
    plain = (int, float, str, tuple)
    return {
        f"{module.__name__.rpartition('.')[2]}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, plain)
    }
