"""verl's row, the same columns and types for every source, so that any files can be used together."""

import json
from typing import Any

import pyarrow as pa

from daro_verl.toolkit.data.problem import Problem, Source
from daro_verl.toolkit.data.prompts import Asking
from daro_verl.toolkit.data.sources.gym import THRESHOLD

ROLLOUTS = "__rollout_n__"  # verl's V1 trainers read it: responses to this row. Other trainers ignore it
_MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
_EXTRA = pa.struct(
    [
        ("split", pa.string()),
        ("index", pa.int64()),
        ("key", pa.string()),
        *[(name, pa.string()) for name in ("id", "level", "subject", "answer", "answer_type", "unit")],
        ("scorer", pa.string()),
        ("threshold", pa.float64()),
        ("entry", pa.string()),
    ]
)
_COLUMNS = [
    ("data_source", pa.string()),
    ("prompt", pa.list_(_MESSAGE)),
    ("ability", pa.string()),
    ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())])),
    ("extra_info", _EXTRA),
]


def schema(split: str) -> pa.Schema:
    """Columns of a file. Only a test file says how many responses each row has: in training that is ``rollout.n``."""
    return pa.schema([*_COLUMNS, (ROLLOUTS, pa.int64())] if split == "test" else _COLUMNS)


def row(problem: Problem, source: Source, asking: Asking, split: str, index: int, key: str) -> dict[str, Any]:
    """One row. ``index`` counts the rows of the file; ``key`` is equal for problems that are the same."""
    extra = {name: getattr(problem, name) for name in ("id", "level", "subject", "answer_type", "unit")}
    extra |= {"answer": problem.raw_answer, "split": split, "index": index, "key": key}
    extra |= {"scorer": problem.scorer, "threshold": THRESHOLD if problem.scorer else None, "entry": problem.entry}
    columns = {
        "data_source": source.name,
        "prompt": asking.messages(problem.text, problem.system, source.suffix),
        "ability": source.ability,
        "reward_model": {"style": "rule", "ground_truth": problem.answer},
        "extra_info": extra,
    }
    return columns | ({ROLLOUTS: source.rollouts} if split == "test" else {})


def table(rows: list[dict[str, Any]], split: str) -> pa.Table:
    """Rows as a table."""
    return pa.Table.from_pylist(rows, schema=schema(split))


def with_metadata(split: str, values: dict[str, Any]) -> pa.Schema:
    """The schema with our own values in the file's footer, beside the ones of other libraries."""
    return schema(split).with_metadata({"daro_verl": json.dumps(values, sort_keys=True)})
