"""The summary of a finished run, in text and as a picture. Every number comes from the run's own files."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from daro_verl.workers.saved_state import FILE_NAME
from examples.quickstart.agreement import describe_agreement
from examples.quickstart.answers import bins, change, lengths, pass_rates, read_answers, side_by_side
from examples.quickstart.history import held_out_by_level, per_bin, read_attempts, training_steps
from examples.quickstart.job import Job

PICTURE = "difficulty_weights.png"
SHOWN = 100  # characters of an answer


@dataclass(frozen=True)
class Summary:
    """The results of a run."""

    method: str
    num_steps: int
    before: pd.DataFrame | None
    """The held-out answers (see ``answers.py``); None if they were not validated."""
    after: pd.DataFrame
    seconds: float  # all attempts together
    peak_memory: int  # bytes, the largest of all attempts
    notes: list[str]  # on the engines' agreement and the difficulty weights
    picture: Path

    def text(self) -> str:
        return "\n".join(
            [
                f"{self.method}, {self.num_steps} steps. Held-out pass rate, with standard errors over problems:",
                "",
                *self._table(),
                "",
                *self._bins(),
                "",
                *self._answers(),
                f"{self.seconds / 60:.1f} minutes of RL, peak memory {self.peak_memory / 2**30:.1f} GiB",
                *self.notes,
                f"picture: {self.picture}",
            ]
        )

    def _table(self) -> list[str]:
        after = pass_rates(self.after)
        before, moved = {}, {}
        if self.before is not None:
            before, moved = pass_rates(self.before).T, change(self.before, self.after).T
        lines = [f"{'':18}{'before':>16}{'after':>16}{'change':>17}"]
        for level, row in after.iterrows():
            cells = [_cell(before.get(level)), _cell(row), _cell(moved.get(level), "+")]
            lines.append(f"{level:18}{cells[0]:>16}{cells[1]:>16}{cells[2]:>17}")
        return lines

    def _bins(self) -> list[str]:
        measured = {"before": self.before, "after": self.after}
        num_answers = len(bins(self.after)) - 1
        lines = [f"held-out problems with 0 .. {num_answers} answers right; characters of right, wrong answers:"]
        for name, answers in measured.items():
            if answers is not None:
                counts = " ".join(f"{count:4d}" for count in bins(answers))
                lines.append(f"  {name:8}{counts}   {', '.join(f'{length:.0f}' for length in lengths(answers))}")
        return lines

    def _answers(self) -> list[str]:
        if self.before is None:
            return []
        lines = ["One answer each, before and after:"]
        for prompt, before, after in side_by_side(self.before, self.after):
            question = prompt.rsplit("user\n", 1)[-1].removesuffix("assistant\n")  # of a chat, the last turn
            question = " ".join(question.split())[-SHOWN:]
            lines += [f"  {question}", f"    before: {_short(before)}", f"    after:  {_short(after)}"]
        return [*lines, ""]


def summarise(job: Job) -> Summary:
    """Read a finished run, draw its picture and return its summary.

    Raises:
        ValueError: the run has no final validation, so it cannot be summarised.
    """
    history = read_attempts(job.attempts)
    steps, sources = training_steps(history), job.task.sources
    validated = {step: rates for step, data in history.items() if (rates := held_out_by_level(data, sources))}
    last = max(validated, default=0)
    after = read_answers(job.answers, last, sources)
    if last == 0 or after is None:
        raise ValueError(
            f"summary of {job.directory}: got validations at steps {list(validated)}, expected one after training. "
            "Run the quickstart again: it resumes from its last checkpoint."
        )
    costs = [json.loads(file.read_text()) for file in sorted(job.attempts.glob("*.cost.json"))]
    return Summary(
        method=job.method,
        num_steps=last,
        before=read_answers(job.answers, 0, sources),
        after=after,
        seconds=sum(cost["seconds"] for cost in costs),
        peak_memory=max((cost["peak_memory"] for cost in costs), default=0),
        notes=describe_agreement(steps) + describe_weights(job.checkpoints / f"global_step_{last}"),
        picture=draw(steps, validated, job, job.directory / PICTURE),
    )


def describe_weights(checkpoint: Path) -> list[str]:
    """The saved difficulty weights in one line. A checkpoint is written only if they are equal on every rank."""
    file = checkpoint / "actor" / FILE_NAME
    if not file.exists():
        return []
    saved = json.loads(file.read_text())
    weights = ", ".join(f"{math.exp(log_weight):.2f}" for log_weight in saved["log_weights"])
    ranks = f"equal on all {saved['num_ranks']} ranks, compared bit for bit at the checkpoint"
    return [f"difficulty weights after {saved['version']} updates: {weights}" + f"; {ranks}" * (saved["num_ranks"] > 1)]


def draw(steps: dict[int, dict], validated: dict[int, dict[str, float]], job: Job, file: Path) -> Path:
    """Draw pass rates over RL steps and, if the method learns them, the weights of the difficulty bins."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    weights = {step: per_bin(metrics, "actor/daro/weight") for step, metrics in steps.items()}
    learns = any(weights.values())
    figure, axes = plt.subplots(1, 1 + learns, figsize=(6.5 + 4.5 * learns, 4), squeeze=False, layout="constrained")
    training = [metrics["critic/score/mean"] for metrics in steps.values()]
    axes[0][0].plot(list(steps), training, color="0.6", label="training")
    for level in job.task.sources:
        points = [(step, row[level]) for step, row in validated.items() if level in row]
        axes[0][0].plot(*zip(*points, strict=True), "o--", label=level)
    axes[0][0].set(ylabel="pass rate", ylim=(0, 1), title=f"{job.method}: training, and held-out problems by level")
    if learns:
        _draw_weights(axes[0][1], weights)
    for axis in axes[0]:
        axis.set_xlabel("RL step")
        axis.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(file, dpi=150)
    plt.close(figure)
    return file


def _draw_weights(axis: Any, weights: dict[int, dict[int, float]]) -> None:
    """A line per bin, dark for rarely solved prompts, on a logarithmic scale with plain numbers."""
    from matplotlib import colormaps
    from matplotlib.ticker import ScalarFormatter

    bins = sorted({k for row in weights.values() for k in row})
    for k in bins:
        points = [(step, row[k]) for step, row in weights.items() if k in row]
        axis.plot(*zip(*points, strict=True), color=colormaps["viridis"](k / (len(bins) + 1)), label=f"k = {k}")
    axis.set(ylabel="weight $w_k$", yscale="log", title="weights of the difficulty bins")
    axis.yaxis.set_major_formatter(ScalarFormatter())
    axis.yaxis.set_minor_formatter(ScalarFormatter())


def _cell(row: pd.Series | None, sign: str = "") -> str:
    return "not run" if row is None else f"{row['rate']:{sign}.3f} +- {row['error']:.3f}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
