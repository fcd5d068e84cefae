"""The difficulty memory in a checkpoint: ``global_step_N/daro_prompts.parquet``, one row per prompt.

pandas and DuckDB read it. Data that concerns no single prompt (kin, the job's data files) is JSON in the file's footer.
Numbers are read back to the same bits.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from daro_verl.atomic import partial_path, publish
from daro_verl.errors import DaroCheckpointError
from daro_verl.prompts.memory import COLUMNS, LEVELS, DifficultyMemory

FILE_NAME = "daro_prompts.parquet"
FORMAT = 1
FOOTER = b"daro_prompts"
PREDICTED = "predicted_pass_rate"
"""A further column for readers: the mean of the posterior when the file was written."""


def write(memory: DifficultyMemory, path: Path, about: dict[str, Any]) -> None:
    """Write the memory. The file appears whole or not at all.

    Args:
        about: plain values for the footer, for readers.
    """
    columns: dict[str, Any] = dict(memory.prompts)
    columns["source"] = pa.DictionaryArray.from_arrays(
        pa.array(memory.prompts["source"].astype(np.int32)), pa.array(memory.sources, pa.string())
    )
    columns[PREDICTED] = memory.predict(np.arange(len(memory))).mean.astype(np.float32)
    kin = {"kin": memory.kin.tolist(), "kin_step": memory.kin_step.tolist()}
    footer = {"format": FORMAT, "sources": memory.sources, **kin, **about}
    table = pa.table(columns).replace_schema_metadata({FOOTER: json.dumps(footer)})
    pq.write_table(table, partial_path(path), compression="zstd")
    publish(partial_path(path), path)


def read(path: Path) -> tuple[DifficultyMemory, dict[str, Any]]:
    """Read a file of :func:`write`: the memory, and the footer.

    Raises:
        DaroCheckpointError: the file is broken, or no difficulty memory.
    """
    try:
        table = pq.read_table(path)
        footer = json.loads((table.schema.metadata or {})[FOOTER])
        if footer["format"] != FORMAT:
            raise ValueError(f"format {footer['format']}")
        prompts = {name: _column(table, name, footer["sources"]) for name in COLUMNS}
        kin = np.array(footer["kin"], dtype=float).reshape(len(footer["sources"]), LEVELS + 2, 3)
        kin_step = np.full(kin.shape[:2], -1)  # earlier files have none
        kin_step = np.array(footer.get("kin_step", kin_step), dtype=np.int64).reshape(kin.shape[:2])
        if (prompts["id"][1:] <= prompts["id"][:-1]).any():
            raise ValueError("prompts out of order")
    except (OSError, ValueError, TypeError, KeyError, pa.ArrowException) as error:
        got, expected = f"{type(error).__name__}: {error}", "the difficulty memory of a job"
        fix = "restore it, or delete it; the job then goes on with an earlier checkpoint's memory, or with none"
        raise DaroCheckpointError(str(path), got=got, expected=expected, fix=fix) from error
    return DifficultyMemory(prompts, list(footer["sources"]), kin, kin_step), footer


def _column(table: pa.Table, name: str, sources: list[str]) -> np.ndarray:
    column = table.column(name)
    if column.null_count:
        raise ValueError(f"{name}: {column.null_count} values are missing")
    if name != "source":
        return column.to_numpy().astype(COLUMNS[name])
    numbers = {source: number for number, source in enumerate(sources)}
    return np.fromiter((numbers[value] for value in column.to_pylist()), COLUMNS[name], len(column))


def saved(folder: Path, up_to: int) -> list[tuple[int, Path]]:
    """The steps up to ``up_to`` whose checkpoint in a job's folder has a memory, each with its file, newest first."""
    files = ((re.fullmatch(r"global_step_(\d+)", path.parent.name), path) for path in folder.glob(f"*/{FILE_NAME}"))
    found = [(int(match[1]), path) for match, path in files if match]
    return sorted((step, path) for step, path in found if step <= up_to)[::-1]
