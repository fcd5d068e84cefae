"""Read verl's logs: one JSON-lines file per attempt, each line ``{"step": int, "data": {name: value}}``."""

import json
from pathlib import Path

VALIDATION = "val-core/{source}/acc/mean@"  # verl appends the number of responses per prompt


def read_lines(text: str) -> list[dict]:
    """The complete records of a JSON-lines text. A last line that is still being written is left out."""
    complete, _, _ = text.rpartition("\n")
    return [json.loads(line) for line in complete.splitlines() if line.strip()]


def read_attempts(directory: Path) -> dict[int, dict]:
    """The metrics by RL step. If an attempt repeats a step after a resume, its last values count."""
    steps: dict[int, dict] = {}
    for file in sorted(directory.glob("*.jsonl")):
        for record in read_lines(file.read_text()):
            steps[record["step"]] = record["data"]
    return dict(sorted(steps.items()))


def held_out(metrics: dict, data_source: str) -> float | None:
    """Held-out pass rate of a data source in one step's metrics; None if verl did not validate."""
    prefix = VALIDATION.format(source=data_source)
    return next((value for name, value in metrics.items() if name.startswith(prefix)), None)


def held_out_by_level(metrics: dict, sources: dict[str, str]) -> dict[str, float]:
    """Held-out pass rate by level; empty if verl did not validate."""
    found = {level: held_out(metrics, source) for level, source in sources.items()}
    return {level: value for level, value in found.items() if value is not None}


def training_steps(history: dict[int, dict]) -> dict[int, dict]:
    """The steps that trained. Step 0 only validates."""
    return {step: metrics for step, metrics in history.items() if "critic/score/mean" in metrics}


def per_bin(metrics: dict, name: str) -> dict[int, float]:
    """Values of ``{name}/{k}of{G}`` by ``k``."""
    values = {}
    for key, value in metrics.items():
        prefix, _, bin_name = key.rpartition("/")
        if prefix == name and "of" in bin_name:
            values[int(bin_name.split("of")[0])] = value
    return dict(sorted(values.items()))
