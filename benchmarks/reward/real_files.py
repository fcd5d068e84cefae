"""Gold answers and published answers of the real files, which are not part of the project. See :func:`folder`."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daro_verl.reward.extract import last_box
from daro_verl.toolkit.data.problem import Problem
from daro_verl.toolkit.data.raw_rows import raw_rows
from daro_verl.toolkit.data.sources import SOURCES

VARIABLE = "DARO_BENCHMARK_FILES"
# Sources of `daro data`, by the files of their real rows.
FILES = {
    "aime24": "aime24.jsonl",
    "aime25": "aime25.jsonl",
    "amc": "amc23.jsonl",
    "math500": "math500.jsonl",
    "minerva": "minerva_math.jsonl",
    "olympiadbench": "olympiadbench.jsonl",
    "gsm8k": "gsm8k.jsonl",
    "openr1": "luffy_valid.parquet",
}


def folder() -> Path:
    """``$DARO_BENCHMARK_FILES``, or ``../shared/data`` beside the repository."""
    root = Path(__file__).resolve().parents[2]
    return Path(os.environ.get(VARIABLE) or root.parent / "shared" / "data")


def problems(source: str, file: Path | None = None) -> list[Problem]:
    """Every row of a source's real file, or of another of its form, as `daro data` reads it."""
    return [SOURCES[source].read(row) for row in raw_rows(SOURCES[source], file or folder() / FILES[source])]


def golds(found: list[Problem] | None = None) -> list[str]:
    """Each answer once, as `daro data` writes it and as the file does, of these problems or of all real files in their
    order; of the plain numbers with less than four digits, which most golds are, every eighth."""
    if found is None:
        found = [problem for source in FILES for problem in problems(source)]
    distinct = list(dict.fromkeys(text for problem in found for text in (problem.answer, problem.raw_answer)))
    short = [gold for gold in distinct if gold.isdigit() and len(gold) < 4]
    return [gold for gold in distinct if gold not in short] + short[::8]


def published_pairs() -> list[tuple[str, str]]:
    """``(gold, answer)`` of published outputs, each once: the answer in the response's last box, and the one that the
    outputs' own evaluation took."""
    pairs = (pair for file in sorted((folder() / "outputs").glob("*.jsonl")) for pair in _pairs(file))
    return list(dict.fromkeys(pairs))


def _pairs(file: Path) -> Iterator[tuple[str, str]]:
    with file.open() as lines:
        rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    for row in rows:
        for answer in (last_box(row["code"][0]), row["pred"][0]):
            if answer and answer.strip():
                yield row["gt"], answer.strip()
