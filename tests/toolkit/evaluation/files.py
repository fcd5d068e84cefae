"""Test files in the schema that ``daro data test`` writes."""

from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from daro_verl.toolkit.data.parquet_file import row, table
from daro_verl.toolkit.data.problem import Problem, PromptStyle, Source
from daro_verl.toolkit.data.same_problem import problem_key


class Question(NamedTuple):
    """``num_responses`` goes into ``__rollout_n__``; ``scorer`` and ``entry`` make it a generated task."""

    benchmark: str
    text: str
    gold: str
    num_responses: int = 1
    scorer: str = ""
    entry: str = ""
    ability: str = "math"


def write(path: Path, questions: list[Question]) -> Path:
    rows = []
    for index, question in enumerate(questions):
        problem = Problem(question.text, question.gold, scorer=question.scorer, entry=question.entry)
        source = Source(
            question.benchmark, lambda raw: raw, rollouts=question.num_responses, ability=question.ability, suffix=""
        )
        rows.append(row(problem, source, PromptStyle(), "test", index, problem_key(question.text)))
    pq.write_table(table(rows, "test"), path)
    return path
