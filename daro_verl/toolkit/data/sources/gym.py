"""reasoning-gym: 106 generators of problems, each with knobs of difficulty and a scorer.

Scores are between 0 and 1 and not binary: "blah 3", where 3 is right, gets 0.167. So a response is right only at 1.0.
The scorer needs the whole entry, which goes into the file as JSON. An entry is kept if its own answer still scores 1.0
after the entry went through JSON. A few tasks have no answer of their own, or compare tuples with lists.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from daro_verl.errors import DaroConfigError
from daro_verl.toolkit.data import raw_fields as fields
from daro_verl.toolkit.data.problem import GOLD, MISSING, Dropped, Problem, Source

THRESHOLD = 1.0  # a response with less is wrong
PREFIX = "reasoning_gym"


@dataclass(frozen=True)
class GymTask:
    """One generator. Equal tasks generate equal entries. ``config``: its knobs, by name."""

    name: str
    config: Mapping[str, Any]
    size: int
    seed: int

    def rows(self) -> Iterator[dict[str, Any]]:
        yield from create(self)


def parse_task(argument: str, size: int, seed: int) -> GymTask:
    """Read a task from ``NAME`` or ``NAME:{"knob": value}``.

    Raises:
        DaroConfigError: the knobs are not a JSON mapping, or they set the size or the seed.
    """
    name, _, knobs = argument.partition(":")
    fix = """write it as 'chain_sum:{"min_terms": 3}', in single quotes"""
    try:
        config = json.loads(knobs) if knobs else {}
    except json.JSONDecodeError as error:
        raise DaroConfigError(f"--task {name}", got=knobs, expected="knobs as JSON", fix=fix) from error
    if not isinstance(config, dict) or {"size", "seed"} & set(config):
        expected, fix = "a JSON mapping without size and seed", f"{fix}; use --size and --seed for these"
        raise DaroConfigError(f"--task {name}", got=knobs, expected=expected, fix=fix)
    return GymTask(name, config, size, seed)


def create(task: GymTask) -> Any:
    """Return reasoning-gym's generator of the task.

    Raises:
        DaroConfigError: reasoning-gym is not installed, or has no such task, or refuses the knobs.
    """
    check_name(task.name, "--task")
    try:
        return _library().create_dataset(task.name, size=task.size, seed=task.seed, **task.config)
    except (TypeError, AssertionError, ValueError) as error:
        expected, fix = f"knobs of this task ({error})", "see reasoning-gym's gallery"
        raise DaroConfigError(f"--task {task.name}", got=dict(task.config), expected=expected, fix=fix) from error


def check_name(name: str, subject: str) -> None:
    """Refuse a task that reasoning-gym does not have; ``subject``: who names it.

    Raises:
        DaroConfigError: reasoning-gym is not installed, or has no such task.
    """
    known = _library().factory.DATASETS
    if name not in known:
        expected = f"one of {', '.join(sorted(known))}"
        raise DaroConfigError(subject, got=name, expected=expected, fix="choose a task of this list")


def read(row: Mapping[str, Any]) -> Problem:
    """One entry as a problem, if its own scorer accepts its own answer."""
    if row.get("answer") is None:
        raise Dropped(MISSING, "answer")
    metadata = row.get("metadata") or {}
    name = str(metadata.get("source_dataset", ""))
    try:
        entry = json.dumps(row)
        score = _library().get_score_answer_fn(name)(row["answer"], json.loads(entry))
    except Exception as error:  # a scorer is foreign code, and may raise anything
        raise Dropped(GOLD, f"{name}: {type(error).__name__}: {error}"[:120]) from error
    if not score >= THRESHOLD:
        raise Dropped(GOLD, f"{name}: its own scorer gives {score} to its own answer")
    difficulty = json.dumps(metadata.get("difficulty", {}), sort_keys=True)
    return Problem(
        fields.text(row, "question"),
        str(row["answer"]),
        str(row["answer"]),
        id=fields.label(metadata, "source_index"),
        level=difficulty,
        subject=name,
        scorer=name,
        entry=entry,
    )


def source(task: GymTask, rollouts: int = 1) -> Source:
    """The task as a source. A generated test set is not a published benchmark, so it is cleaned like training data."""
    return Source(
        f"{PREFIX}/{task.name}",
        read,
        rollouts=rollouts,
        ability="reasoning",
        checks_golds=False,
        rows=task.rows,
    )


def _library() -> Any:
    try:
        import reasoning_gym
    except ImportError as error:
        fix = 'pip install -e ".[gym]" in the clone of daro-verl; on a GPU node see docs/install.md'
        raise DaroConfigError(
            "reasoning-gym", got="no such package", expected="reasoning-gym 0.1.25", fix=fix
        ) from error
    return reasoning_gym
