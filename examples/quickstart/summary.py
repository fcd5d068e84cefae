"""The summary of a finished run, in text and as a picture; every number is read from the run's own files."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

from daro_verl.workers.saved_state import FILE_NAME
from examples.quickstart.history import held_out_by_level, per_bin, read_attempts, training_steps
from examples.quickstart.task import SOURCE_OF_LEVEL

PICTURE = "difficulty_weights.png"


@dataclass(frozen=True)
class Summary:
    """What a run did. Pass rates are in [0, 1], by level; a level is the number of additions."""

    method: str
    num_steps: int
    before: dict[int, float]
    after: dict[int, float]
    seconds: float  # all attempts together
    peak_memory: int  # bytes, the largest of all attempts
    weights: str  # what the last checkpoint says of the difficulty weights
    picture: Path

    def text(self) -> str:
        lines = [f"{self.method}, {self.num_steps} steps. Held-out pass rate:"]
        lines += ["", "            before   after  points"]
        for level in self.after:
            lines.append(_row(f"level {level}", self.before.get(level), self.after[level]))
        lines.append(_row("all", _mean(self.before), _mean(self.after)))
        lines += [
            "",
            f"{self.seconds / 60:.1f} minutes of RL, peak memory {self.peak_memory / 2**30:.1f} GiB",
            *([self.weights] if self.weights else []),
            f"picture: {self.picture}",
        ]
        return "\n".join(lines)


def summarise(directory: Path, method: str) -> Summary:
    """Read the run in ``directory`` (see ``Job``), draw its picture and return its summary.

    Raises:
        ValueError: the run has no final validation, so there is nothing to sum up.
    """
    history = read_attempts(directory / "attempts")
    steps = training_steps(history)
    validated = {step: rates for step, data in history.items() if (rates := held_out_by_level(data, SOURCE_OF_LEVEL))}
    if not validated or max(validated) == 0:
        raise ValueError(
            f"summary of {directory}: got validations at steps {list(validated)}, expected one after training. "
            "Run the quickstart again: it resumes from its last checkpoint."
        )
    costs = [json.loads(file.read_text()) for file in sorted((directory / "attempts").glob("*.cost.json"))]
    picture = draw(steps, validated, method, directory / PICTURE)
    return Summary(
        method=method,
        num_steps=max(validated),
        before=validated.get(0, {}),
        after=validated[max(validated)],
        seconds=sum(cost["seconds"] for cost in costs),
        peak_memory=max((cost["peak_memory"] for cost in costs), default=0),
        weights=describe_weights(directory / "checkpoints" / f"global_step_{max(validated)}"),
        picture=picture,
    )


def describe_weights(checkpoint: Path) -> str:
    """The saved difficulty weights in a line; a checkpoint is only written if they are equal on every rank."""
    file = checkpoint / "actor" / FILE_NAME
    if not file.exists():
        return ""
    saved = json.loads(file.read_text())
    weights = ", ".join(f"{math.exp(log_weight):.2f}" for log_weight in saved["log_weights"])
    return (
        f"difficulty weights after {saved['version']} updates: {weights}; "
        f"equal on all {saved['num_ranks']} ranks, compared bit for bit at the checkpoint"
    )


def draw(steps: dict[int, dict], validated: dict[int, dict[int, float]], method: str, file: Path) -> Path:
    """Pass rates over RL steps and, where the method learns them, the weights of the difficulty bins."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    weights = {step: per_bin(metrics, "actor/daro/weight") for step, metrics in steps.items()}
    bins = sorted({k for row in weights.values() for k in row})
    figure, axes = plt.subplots(1, 2 if bins else 1, figsize=(11 if bins else 6, 4), squeeze=False)
    rates = axes[0][0]
    rates.plot(list(steps), [metrics["critic/score/mean"] for metrics in steps.values()], color="0.6", label="training")
    for level in SOURCE_OF_LEVEL:
        points = [(step, row[level]) for step, row in validated.items() if level in row]
        rates.plot(*zip(*points, strict=True), "o--", label=f"held-out, level {level}")
    rates.set(xlabel="RL step", ylabel="pass rate", ylim=(0, 1), title=method)
    rates.legend(fontsize="small")
    colours = plt.colormaps["viridis"]
    for k in bins:
        points = [(step, row[k]) for step, row in weights.items() if k in row]
        axes[0][1].plot(*zip(*points, strict=True), color=colours(k / (len(bins) + 1)), label=f"k = {k}")
    if bins:
        axes[0][1].set(xlabel="RL step", ylabel="weight $w_k$", yscale="log", title="weights of the difficulty bins")
        axes[0][1].legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(file, dpi=150)
    plt.close(figure)
    return file


def _row(name: str, before: float | None, after: float) -> str:
    if before is None:
        return f"{name:10s}  not run  {after:6.3f}"
    return f"{name:10s}  {before:6.3f}  {after:6.3f}  {100 * (after - before):+6.1f}"


def _mean(rates: dict[int, float]) -> float | None:
    """Over the levels, which the held-out problems cover evenly."""
    return sum(rates.values()) / len(rates) if rates else None
