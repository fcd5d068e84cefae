"""``daro data difficulty``: write the prompts of a job's data whose predicted pass rate is in a range."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from daro_verl.atomic import partial_path, publish
from daro_verl.errors import DaroConfigError, DaroDataError
from daro_verl.prompts import memory_file
from daro_verl.prompts.identity import prompt_ids
from daro_verl.prompts.memory import DifficultyMemory
from daro_verl.toolkit.data.parquet_file import METADATA

BATCH = 4096
NOT_SEEN, NEVER, ALWAYS = "not seen", "never solved", "always solved"
BANDS = ((0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0))


@dataclass(frozen=True)
class Filtered:
    """The result of :func:`filter_prompts`.

    ``num_rows``: rows written, out of ``num_all``. ``kinds``: all rows, counted by :func:`kinds_of`. ``source``: the
    file of the memory.
    """

    num_rows: int
    num_all: int
    kinds: dict[str, int]
    source: Path


def filter_prompts(
    run: Path,
    out: Path,
    low: float,
    high: float,
    not_seen: bool,
    data: Sequence[Path],
    prompt_key: str,
    overwrite: bool,
) -> Filtered:
    """Write the rows whose predicted pass rate lies within ``[low, high]``.

    Args:
        run: a job's folder of checkpoints, one checkpoint, or the memory's file in a checkpoint.
        not_seen: whether rows that the job never generated for are written too.
        data: parquet files; if there are none, the files that the job trained on.
        prompt_key: the column of the chats.

    Raises:
        DaroError: a file is missing or not what it should be, or no row is left.
    """
    if not 0 <= low <= high <= 1:
        got, fix = f"{low} and {high}", "pass for example --low 0.1 --high 0.9"
        raise DaroConfigError("--low, --high", got=got, expected="0 <= low <= high <= 1", fix=fix)
    if out.exists() and not overwrite:
        fix = "choose another --out, or pass --overwrite"
        raise DaroDataError(f"--out {out}", got="a file", expected="no file", fix=fix)
    source = newest_memory(run)
    memory, about = memory_file.read(source)
    table = _table(list(data) or [Path(file) for file in about.get("train_files", [])])
    if prompt_key not in table.column_names:
        fix = "name the column with --prompt-key"
        raise DaroDataError("the data", got=table.column_names, expected=f"a column {prompt_key}", fix=fix)
    rows = memory.rows(np.concatenate([np.empty(0, np.uint64), *_ids(table, prompt_key)]))
    is_seen = memory.seen(rows)
    rate = memory.predict(rows).mean
    kept = np.where(is_seen, (rate >= low) & (rate <= high), not_seen)
    if not kept.any():
        got = f"0 of {len(table)} rows, {int(is_seen.sum())} of them seen by the job"
        fix = "widen --low and --high, pass --not-seen, or name with --data the files that the job trained on"
        raise DaroDataError(str(source), got=got, expected=f"a row from {low:g} to {high:g}", fix=fix)
    out.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(_without_origin(table.filter(pa.array(kept))), partial_path(out))
    publish(partial_path(out), out)
    return Filtered(int(kept.sum()), len(table), kinds_of(memory, rows), source)


def newest_memory(run: Path) -> Path:
    """The file of the memory of the highest step below a folder. A ``run`` that is a file is returned as it is.

    Raises:
        DaroDataError: there is no memory below the folder.
    """
    if run.is_file():
        return run
    found = sorted(run.rglob(memory_file.FILE_NAME), key=lambda path: (step_of(path), str(path)))
    if not found:
        fix = "name the trainer.default_local_dir of a DARO job with one of verl's V1 trainers that saved a checkpoint"
        raise DaroDataError(str(run), got=f"no {memory_file.FILE_NAME}", expected="a job's checkpoints", fix=fix)
    return found[-1]


def step_of(path: Path) -> int:
    """The step of the checkpoint that holds a file; 0 if its folder is named otherwise."""
    _, _, number = path.parent.name.rpartition("global_step_")
    return int(number) if number.isdecimal() else 0


def kinds_of(memory: DifficultyMemory, rows: np.ndarray) -> dict[str, int]:
    """The number of prompts of each kind: not seen, never solved, bands of predicted pass rate, always solved."""
    is_seen = memory.seen(rows)
    known = rows[is_seen]
    successes, responses = memory.prompts["successes"][known], memory.prompts["responses"][known]
    never, always = successes == 0, successes == responses
    rate = memory.predict(known).mean[~never & ~always]
    bands = {f"{low:g} to {high:g}": int(((rate >= low) & ((rate < high) | (high == 1))).sum()) for low, high in BANDS}
    return {NOT_SEEN: int((~is_seen).sum()), NEVER: int(never.sum()), **bands, ALWAYS: int(always.sum())}


def _table(files: Sequence[Path]) -> pa.Table:
    try:
        if not files:
            raise FileNotFoundError("the memory names no data files")
        return pa.concat_tables([pq.read_table(file) for file in files], promote_options="default")
    except (OSError, pa.ArrowException) as error:
        fix = "name the parquet files with --data"
        expected = "the data that the job trained on"
        raise DaroDataError("--data", got=str(error), expected=expected, fix=fix) from error


def _without_origin(table: pa.Table) -> pa.Table:
    """The table without the footer of ``daro data train``, which would take some of its rows for the whole file."""
    metadata = {key: value for key, value in (table.schema.metadata or {}).items() if key != METADATA.encode()}
    return table.replace_schema_metadata(metadata)


def _ids(table: pa.Table, prompt_key: str) -> Iterator[np.ndarray]:
    columns = [name for name in ("data_source", prompt_key, "extra_info") if name in table.column_names]
    for batch in table.select(columns).to_batches(BATCH):
        yield prompt_ids(batch.to_pylist(), prompt_key)[0]
