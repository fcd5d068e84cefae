"""The comparison's runs on a real model: one more regime beside those of the toy."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.convergence.runs import Method, Run, digest
from benchmarks.convergence.studies import Study
from benchmarks.real_model import task

FORMAT = 1  # raise it where a change of the code makes earlier results wrong


@dataclass(frozen=True)
class LanguageRegime:
    """The model, its task and the sizes of a run.

    Attributes:
        model: a Hugging Face directory. Its name, not its place, is part of a run's settings.
        num_prompts: prompts per round, before dynamic sampling.
        group_size: ``G``, responses per prompt.
        num_mini_batches: optimizer steps per round.
        max_response_length: tokens; a response that is cut off is wrong.
        num_held_out: problems of an evaluation, with ``num_samples`` responses each.
        micro_batch: prompts whose responses the model sees at once in training.
        generation_batch: responses that are sampled at once.
        device: ``cpu`` or ``cuda``.
        dtype: of the layers' computation, ``float32`` or ``bfloat16``.
    """

    model: str
    name: str = "smollm2"
    num_prompts: int = 8
    group_size: int = 8
    num_mini_batches: int = 1
    max_response_length: int = 48
    num_held_out: int = 48
    num_samples: int = 4
    micro_batch: int = 2
    generation_batch: int = 96
    device: str = "cpu"
    dtype: str = "float32"
    num_problems: ClassVar[None] = None  # of a finite training set: there is none


@dataclass(frozen=True)
class LanguageRun(Run):
    """One training of the language model."""

    regime: LanguageRegime  # type: ignore[assignment]

    def settings(self) -> dict[str, Any]:
        settings = {"format": FORMAT, **asdict(self), "levels": task.LEVELS}
        settings["method"].pop("name")
        settings["regime"]["model"] = Path(self.regime.model).name
        return settings

    def file(self, folder: Path) -> Path:
        return folder / f"{self.regime.name}-{self.seed}-{digest(self.settings())}.npz"

    def unfinished_file(self, folder: Path) -> Path:
        """The state after the last round, as long as the run goes on."""
        return self.file(folder).with_suffix(".pt")


@dataclass(frozen=True)
class LanguageStudy(Study):
    """A study whose one regime is a language model's."""

    regimes: tuple[str, ...] = ()
    levels: tuple[str, ...] = task.LEVELS
    regime: LanguageRegime = LanguageRegime("")

    def run(self, method: Method, regime: str, seed: int, rate: float) -> LanguageRun:
        return LanguageRun(method, self.regime, seed, rate, self.schedule)
