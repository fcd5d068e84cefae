"""The table, the summary and the file of results."""

import json
import os
import platform
from collections import Counter
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.interruptions.check import Outcome
from benchmarks.interruptions.kills import Durations

PACKAGES = ("verl", "megatron-core", "torch", "daro-verl")


def show(console: Console, outcomes: list[Outcome], save_every: int) -> None:
    """One row for each kill."""
    table = Table(title="Hard kills, each followed by a restart")
    for name in ("kill", "aimed at", "keep", "struck in phase", "at step", "resumed from", "redone", "identical"):
        table.add_column(name, justify="left" if name in ("aimed at", "struck in phase") else "right")
    for number, one in enumerate(outcomes, start=1):
        states = f"{one.compared} states" if not one.different else f"NO: steps {one.different}"
        row = [number, one.kind, one.keep, one.phase, one.step, one.resumed, one.redone, states]
        table.add_row(*map(str, row), style="red" if one.problems(save_every) else None)
    console.print(table)


def summary(outcomes: list[Outcome], save_every: int, not_deterministic: list[int]) -> dict[str, Any]:
    """The figures; ``passed`` is what the exit status says."""
    problems = [f"kill {i}: {text}" for i, one in enumerate(outcomes, 1) for text in one.problems(save_every)]
    problems += [f"without any kill, the state differs at step {step}" for step in not_deterministic]
    return {
        "kills": len(outcomes),
        "kills_by_aim": dict(Counter(one.kind for one in outcomes)),
        "kills_by_phase": dict(Counter(one.phase for one in outcomes)),
        "most_steps_redone": max((one.redone for one in outcomes), default=0),
        "states_compared": sum(one.compared for one in outcomes),
        "states_different": sum(len(one.different) for one in outcomes),
        "problems": problems,
        "passed": bool(outcomes) and not problems,
    }


def write(
    path: Path, command: str, settings: dict[str, Any], figures: dict, durations: Durations, outcomes: list
) -> None:
    """``path`` as JSON."""
    machine = {
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }
    result = {
        "command": command,
        "settings": settings,
        "machine": machine,
        "uninterrupted_seconds": asdict(durations),
        "summary": figures,
        "kills": [asdict(one) | {"redone": one.redone} for one in outcomes],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
