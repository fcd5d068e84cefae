"""Raw rows, one after the other: from the hub, from local files, or from a generator."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from daro_verl.errors import DaroConfigError, DaroDataError, DaroError
from daro_verl.toolkit.data.problem import Dropped, Source
from daro_verl.toolkit.data.same_problem import identities

BUILDERS = {".json": "json", ".jsonl": "json", ".parquet": "parquet", ".csv": "csv"}


def raw_rows(source: Source, local: Path | None, skip: int = 0) -> Iterator[Mapping[str, Any]]:
    """Stream the rows of a source from number ``skip`` on. Nothing stays in memory or goes to a cache.

    Raises:
        DaroDataError: the files or the hub cannot be read, or a generator refuses.
    """
    if source.rows is not None:
        yield from islice(source.rows(), skip, None)
        return
    try:
        for part in _streams(source, local):
            for row in part:
                if skip > 0:
                    skip -= 1
                else:
                    yield row
    except DaroError:
        raise
    except (OSError, ValueError, RuntimeError, ArithmeticError) as error:
        where = str(local) if local else f"{source.hub_id} on the hub"
        fix = f"check the file, or run again: rows read so far are kept (--local {source.name}=PATH reads a file)"
        got = f"{type(error).__name__}: {error}"[:300]
        raise DaroDataError(f"{source.name} from {where}", got=got, expected="readable rows", fix=fix) from error


def _streams(source: Source, local: Path | None) -> Iterator[Any]:
    from datasets import load_dataset

    if local is None:
        for split in source.splits:
            yield load_dataset(source.hub_id, source.config, split=split, streaming=True, revision=source.revision)
        return
    for file in local_files(local):
        yield load_dataset(BUILDERS[file.suffix], data_files=str(file), split="train", streaming=True)


def commit(source: Source) -> str:
    """The present commit of the source's revision. With it, later changes on the hub do not mix in.

    Raises:
        DaroDataError: the hub does not answer.
    """
    from httpx import HTTPError  # the hub's library sends its requests with httpx
    from huggingface_hub import HfApi

    try:
        sha = HfApi().dataset_info(source.hub_id, revision=source.revision).sha
    except (HTTPError, OSError, ValueError, RuntimeError) as error:
        subject = f"{source.name}: {source.hub_id} on the hub, revision {source.revision or 'not given'}"
        fix = f"check the network and --revision, or run again (--local {source.name}=PATH reads a file)"
        got = f"{type(error).__name__}: {error}"[:300]
        raise DaroDataError(subject, got=got, expected="a commit", fix=fix) from error
    return str(sha)


def local_files(path: Path) -> list[Path]:
    """A file, or the readable files of a directory in the order of their names.

    Raises:
        DaroConfigError: there is no readable file.
    """
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    found = [file for file in files if file.suffix in BUILDERS and file.is_file() and file.stat().st_size]
    if not found:
        expected = f"a file with rows that ends in {', '.join(BUILDERS)}, or a directory of such files"
        raise DaroConfigError("--local", got=str(path), expected=expected, fix="name the data set's own file")
    return found


def num_rows(source: Source, local: Path | None) -> int | None:
    """The number of rows for the progress bar; None if neither the source nor a parquet footer tells it."""
    if local is not None and all(file.suffix == ".parquet" for file in local_files(local)):
        return sum(pq.ParquetFile(file).metadata.num_rows for file in local_files(local))
    return None if local is not None else max(source.num_rows, default=None)


def test_keys(files: Sequence[Path]) -> frozenset[str]:
    """Keys of the problems in test files, in every form of :func:`identities`, and the keys that rows have.

    Raises:
        DaroDataError: a file is not in verl's schema.
    """
    return frozenset(identity for file in files for identity in _keys(file))


def _keys(file: Path) -> Iterator[str]:
    try:
        for batch in pq.ParquetFile(file).iter_batches(columns=["prompt", "extra_info"]):
            for row in batch.to_pylist():
                if own := (row.get("extra_info") or {}).get("key"):
                    yield str(own)
                yield from identities(row["prompt"][-1]["content"])
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        expected = "a parquet file in verl's schema, with a prompt in each row"
        got, fix = f"{type(error).__name__}: {error}"[:200], "write the file first with `daro data test`"
        raise DaroDataError(f"--test {file}", got=got, expected=expected, fix=fix) from error


def own_system(source: Source, local: Path | None) -> str:
    """The system message of a source's rows.

    Raises:
        DaroDataError: the source's first row has no system message.
    """
    for row in islice(raw_rows(source, local), 1):
        try:
            if system := source.read(row).system:
                return system
        except Dropped:
            break
    expected, fix = "a source with a system message in its first row", "name openr1, or use --system"
    raise DaroDataError("--system-from", got=source.name, expected=expected, fix=fix)
