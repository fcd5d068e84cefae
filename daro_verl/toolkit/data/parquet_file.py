"""The file that verl reads. It has the same columns for every source, a fingerprint in its footer, and a report."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from daro_verl.atomic import partial_path, publish, write_atomically
from daro_verl.errors import DaroDataError
from daro_verl.toolkit.data.problem import Problem, PromptStyle, Source
from daro_verl.toolkit.data.sources.gym import THRESHOLD

METADATA = "daro_verl"  # our key in the file's footer
ROLLOUTS = "__rollout_n__"  # responses to this row. verl's V1 trainers read the column; others ignore it
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
    """Columns of a file. Only a test file has a number of responses per row. In training, it is ``rollout.n``."""
    return pa.schema([*_COLUMNS, (ROLLOUTS, pa.int64())] if split == "test" else _COLUMNS)


def row(problem: Problem, source: Source, style: PromptStyle, split: str, index: int, key: str) -> dict[str, Any]:
    """One row. ``index`` counts the rows of the file. Problems that are the same have the same ``key``."""
    extra = {name: getattr(problem, name) for name in ("id", "level", "subject", "answer_type", "unit")}
    extra |= {"answer": problem.raw_answer, "split": split, "index": index, "key": key}
    extra |= {"scorer": problem.scorer, "threshold": THRESHOLD if problem.scorer else None, "entry": problem.entry}
    columns = {
        "data_source": source.name,
        "prompt": style.messages(problem.text, problem.system, source.suffix),
        "ability": source.ability,
        "reward_model": {"style": "rule", "ground_truth": problem.answer},
        "extra_info": extra,
    }
    return columns | ({ROLLOUTS: source.rollouts} if split == "test" else {})


def table(rows: list[dict[str, Any]], split: str) -> pa.Table:
    """Rows as a table."""
    return pa.Table.from_pylist(rows, schema=schema(split))


def report_path(out: Path) -> Path:
    return out.with_suffix(".report.json")


def is_finished(out: Path, fingerprint: str, overwrite: bool) -> bool:
    """Whether ``out`` is already the result of these arguments.

    Raises:
        DaroDataError: ``out`` has other arguments and may not be replaced, or this command did not write it.
    """
    if not out.exists():
        return False
    found = footer(out)
    if found is not None and found.get("fingerprint") == fingerprint and report_path(out).exists():
        return True
    if overwrite and found is not None:
        return False
    got = "a file of other arguments or inputs" if found is not None else "a file that this command did not write"
    fix = "choose another --out" + (", or pass --overwrite" if found is not None else "")
    raise DaroDataError(f"--out {out}", got=got, expected="no file, or the result of the same arguments", fix=fix)


def footer(out: Path) -> dict[str, Any] | None:
    """This package's values in a parquet file's footer; None if there are none."""
    try:
        metadata = pq.read_schema(out).metadata or {}
        value = json.loads(metadata[METADATA.encode()])
    except (OSError, ValueError, KeyError):
        return None
    return value if isinstance(value, dict) else None


def merge(tables: Iterable[pa.Table], out: Path, split: str, values: dict[str, Any], report: dict[str, Any]) -> int:
    """Write the report, then the tables as row groups of one file with ``values`` in its footer.

    Returns the number of rows.
    """
    write_atomically(report_path(out), json.dumps(report, indent=1, ensure_ascii=False))
    columns = schema(split).with_metadata({METADATA: json.dumps(values, sort_keys=True)})
    partial, num_rows = partial_path(out), 0
    with pq.ParquetWriter(partial, columns) as writer:
        for table in tables:
            if table.num_rows:
                writer.write_table(table.cast(writer.schema))
                num_rows += table.num_rows
    publish(partial, out)
    return num_rows
