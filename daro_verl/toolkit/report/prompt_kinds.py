"""How the difficulty of a data set changes: counts from the memories in a run's checkpoints."""

from pathlib import Path

import numpy as np
import pandas as pd

from daro_verl.errors import DaroError
from daro_verl.prompts import memory_file
from daro_verl.toolkit.data.difficulty import NOT_SEEN, kinds_of, step_of


def prompt_kinds(run: Path) -> tuple[pd.DataFrame, list[str]]:
    """The number of prompts by kind, in a row per checkpoint with a memory, and warnings of unreadable memories.

    ``not seen`` counts prompts only if the job chose its prompts. Otherwise the job knows only those that it has seen.

    Args:
        run: a run's folder. A log file has no checkpoints.
    """
    rows, warnings = {}, []
    for path in sorted(run.rglob(memory_file.FILE_NAME), key=step_of) if run.is_dir() else ():
        try:
            memory, _ = memory_file.read(path)
        except DaroError as error:
            warnings.append(str(error))
            continue
        rows[step_of(path)] = kinds_of(memory, np.arange(len(memory)))
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("step").sort_index()
    return table if len(table) else pd.DataFrame(), warnings


def without_empty(table: pd.DataFrame) -> pd.DataFrame:
    """The table without the column of prompts not seen, if there never were any."""
    return table.drop(columns=NOT_SEEN) if NOT_SEEN in table and not table[NOT_SEEN].any() else table
