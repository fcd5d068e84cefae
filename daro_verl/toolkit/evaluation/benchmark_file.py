"""The rows of a test file: the question, the number of responses, and the right answer."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from daro_verl.errors import DaroConfigError, DaroDataError
from daro_verl.reward.math import gold_answers
from daro_verl.toolkit.data.parquet_file import ROLLOUTS
from daro_verl.toolkit.data.raw_fields import structure
from daro_verl.toolkit.data.sources import SOURCES, gym

COLUMNS = ("data_source", "prompt", "reward_model", ROLLOUTS)
_FIX = "write the file with `daro data test`"


@dataclass(frozen=True)
class BenchmarkProblem:
    """One row.

    - ``key``: a digest of the fields below, and of the number of earlier equal rows. The same row has the same key in
      every file;
    - ``num_responses``: the row's ``__rollout_n__``;
    - ``gold``: what the math reward accepts: text, a number, or several of which any is right;
    - ``scorer``: reasoning-gym's scorer, with ``entry`` and ``threshold`` as in the file; empty for a math answer.
    """

    key: str
    benchmark: str
    messages: tuple[Mapping[str, str], ...]
    gold: Any
    num_responses: int
    scorer: str = ""
    entry: str = ""
    threshold: float = 1.0


def read_problems(file: Path, limit: int = 0) -> list[BenchmarkProblem]:
    """The problems of a parquet file in verl's schema. ``limit``: so many of each benchmark; 0 for all.

    Raises:
        DaroConfigError: the file does not exist.
        DaroDataError: columns or fields are missing; or rows of one benchmark ask for different numbers of responses;
            or no scorer fits a data source.
    """
    seen: Counter[str] = Counter()
    problems = [_problem(row, number, seen) for number, row in enumerate(_table(file).to_pylist())]
    if not problems:
        raise DaroDataError(str(file), got="no rows", expected="problems", fix=_FIX)
    taken: Counter[str] = Counter()
    chosen = []
    for problem in problems:
        taken[problem.benchmark] += 1
        if not limit or taken[problem.benchmark] <= limit:
            chosen.append(problem)
    _check_responses(chosen, file)
    return chosen


def digest(problems: list[BenchmarkProblem]) -> str:
    """A digest of the problems, in any order."""
    return hashlib.sha256("".join(sorted(problem.key for problem in problems)).encode()).hexdigest()[:24]


def _table(file: Path) -> pa.Table:
    if not file.is_file():
        raise DaroConfigError("--data", got=str(file), expected="an existing parquet file", fix=_FIX)
    try:
        table = pq.read_table(file)
    except (pa.ArrowException, OSError) as error:
        raise DaroDataError(str(file), got=f"{error}"[:200], expected="a parquet file", fix=_FIX) from error
    if missing := sorted(set(COLUMNS) - set(table.column_names)):
        raise DaroDataError(str(file), got=f"no {', '.join(missing)}", expected=", ".join(COLUMNS), fix=_FIX)
    return table


def _problem(row: Mapping[str, Any], number: int, seen: Counter[str]) -> BenchmarkProblem:
    extra, reward_model = _mapping(row, "extra_info", number), _mapping(row, "reward_model", number)
    messages, benchmark, n = _messages(row, number), row["data_source"], row[ROLLOUTS]
    gold, scorer = reward_model.get("ground_truth"), extra.get("scorer") or ""
    has_gold = gold not in (None, "") if scorer else bool(gold_answers(gold))
    if not messages or not benchmark or not has_gold or not isinstance(n, int) or n < 1:
        got = f"row {number}: data_source {benchmark!r}, {len(messages)} messages, answer {gold!r}, {n!r} responses"
        raise DaroDataError("--data", got=got, expected="all four, at least one of each", fix=_FIX)
    if not scorer and row.get("ability") != "math" and benchmark not in SOURCES:
        expected = f"ability 'math', a scorer in extra_info, or one of {', '.join(SOURCES)}"
        fix = "set the column `ability` to math if the math reward fits its answers"
        raise DaroDataError(f"data_source of row {number}", got=benchmark, expected=expected, fix=fix)
    asked = json.dumps([benchmark, messages, str(gold), n, scorer, extra.get("entry") or ""], sort_keys=True)
    seen[asked] += 1
    key = hashlib.sha256(f"{asked} {seen[asked]}".encode("utf-8", "replace")).hexdigest()[:24]
    threshold = extra.get("threshold")
    return BenchmarkProblem(
        key,
        benchmark,
        tuple(messages),
        gold,
        n,
        scorer,
        extra.get("entry") or "",
        1.0 if threshold is None else float(threshold),
    )


def _mapping(row: Mapping[str, Any], name: str, number: int) -> Mapping[str, Any]:
    """A column of mappings, which some files have as JSON; empty where the row has none."""
    value = structure(row.get(name)) or {}
    if not isinstance(value, Mapping):
        raise DaroDataError(f"{name} of row {number}", got=repr(value)[:100], expected="a mapping", fix=_FIX)
    return value


def _messages(row: Mapping[str, Any], number: int) -> list[Mapping[str, str]]:
    value = structure(row["prompt"]) or []
    if not isinstance(value, list) or not all(
        isinstance(message, Mapping) and {"role", "content"} <= message.keys() for message in value
    ):
        expected = "a list of messages with role and content"
        raise DaroDataError(f"prompt of row {number}", got=repr(value)[:100], expected=expected, fix=_FIX)
    return value


def check_scorers(problems: list[BenchmarkProblem]) -> None:
    """Look for the scorers of generated tasks.

    Raises:
        DaroConfigError: reasoning-gym is not installed, or has no scorer of that name.
    """
    for name in sorted({problem.scorer for problem in problems if problem.scorer}):
        gym.check_name(name, "the scorer of --data")


def _check_responses(problems: list[BenchmarkProblem], file: Path) -> None:
    numbers: dict[str, set[int]] = {}
    for problem in problems:
        numbers.setdefault(problem.benchmark, set()).add(problem.num_responses)
    for benchmark, found in numbers.items():
        if len(found) > 1:
            got = f"{benchmark} with {', '.join(map(str, sorted(found)))}"
            fix = f"give all rows of a benchmark the same {ROLLOUTS}, which mean@n needs"
            raise DaroDataError(f"{ROLLOUTS} of {file}", got=got, expected="one number", fix=fix)
