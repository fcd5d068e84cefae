"""Progress of the RL job: one line per step, from the metrics file that verl appends to."""

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from examples.quickstart.history import held_out_by_level, per_bin, read_lines
from examples.quickstart.process_tree import ProcessTree

POLL_SECONDS = 1.0
SAMPLE_SECONDS = 3.0  # of the process tree
HEARTBEAT_SECONDS = 30.0  # while nothing else is printed
RECENT_STEPS = 10  # the time left is estimated from these


class StepLines:
    """Turns records of verl's metrics file into lines of text, and estimates the time left."""

    def __init__(self, steps: int, sources: dict[str, str]):
        self.steps, self.sources = steps, sources
        self._seconds: deque[float] = deque(maxlen=RECENT_STEPS)

    def line(self, step: int, metrics: dict) -> str:
        """The text to print for one record: a training step, a validation, or both."""
        parts = []
        if "critic/score/mean" in metrics:
            seconds = metrics.get("timing_s/step", 0.0)
            self._seconds.append(seconds)
            left = (self.steps - step) * sum(self._seconds) / len(self._seconds)
            parts.append(
                f"step {step:3d}/{self.steps}  pass rate {metrics['critic/score/mean']:.2f}"
                f"  length {metrics['response_length/mean']:4.1f}  {duration(left)} left"
            )
        if weights := per_bin(metrics, "actor/daro/weight"):
            parts.append("  w " + " ".join(f"{weight:.2f}" for weight in weights.values()))
        if levels := held_out_by_level(metrics, self.sources):
            text = ", ".join(f"{level} {rate:.2f}" for level, rate in levels.items())
            parts.append(f"{'  ' if parts else f'step {step:3d}/{self.steps}  '}held-out pass rate: {text}")
        return "".join(parts)


def duration(seconds: float) -> str:
    """Seconds as minutes and seconds: ``75`` is ``1:15``."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d}"


def follow(tree: ProcessTree, metrics_file: Path, lines: StepLines, show: Callable[[str], None] = print) -> int:
    """Show a line for each record of ``metrics_file`` until the command ends; returns its exit status."""
    shown = 0
    start = last_shown = time.monotonic()
    next_sample = 0.0
    while True:
        returncode, now = tree.returncode(), time.monotonic()
        if now >= next_sample:
            tree.sample()
            next_sample = now + SAMPLE_SECONDS
        records = read_lines(metrics_file.read_text()) if metrics_file.exists() else []
        for record in records[shown:]:
            show(lines.line(record["step"], record["data"]))
            last_shown = now
        if now - last_shown > HEARTBEAT_SECONDS:
            show(f"... {'running' if shown else 'starting'}, {duration(now - start)}")
            last_shown = now
        shown = len(records)
        if returncode is not None:
            return returncode
        time.sleep(POLL_SECONDS)
