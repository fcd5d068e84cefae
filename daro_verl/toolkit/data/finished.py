"""The finished file: its fingerprint in its footer, its report beside it."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from daro_verl.errors import got_expected_fix
from daro_verl.toolkit.data.errors import DaroDataError
from daro_verl.toolkit.data.schema import with_metadata
from daro_verl.toolkit.data.shards import write_atomically

METADATA = b"daro_verl"


def report_path(out: Path) -> Path:
    return out.with_suffix(".report.json")


def is_finished(out: Path, fingerprint: str, overwrite: bool) -> bool:
    """Whether ``out`` is this very job's result already.

    Raises:
        DaroDataError: it is another job's or somebody else's, and may not be replaced.
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
    raise DaroDataError(got_expected_fix(f"--out {out}", got, "no file, or the result of the same arguments", fix))


def footer(out: Path) -> dict[str, Any] | None:
    """Our values in a parquet file's footer; None if there are none."""
    try:
        metadata = pq.read_schema(out).metadata or {}
        value = json.loads(metadata[METADATA])
    except (OSError, ValueError, KeyError):
        return None
    return value if isinstance(value, dict) else None


def merge(tables: Iterable[pa.Table], out: Path, split: str, values: dict[str, Any], report: dict[str, Any]) -> int:
    """Write the tables as row groups of one file, and the report before it. Returns the number of rows."""
    write_atomically(report_path(out), json.dumps(report, indent=1, ensure_ascii=False).encode())
    partial, num_rows = out.with_name(out.name + ".partial"), 0
    with pq.ParquetWriter(partial, with_metadata(split, values)) as writer:
        for table in tables:
            if table.num_rows:
                writer.write_table(table.cast(writer.schema))
                num_rows += table.num_rows
    partial.replace(out)
    return num_rows
