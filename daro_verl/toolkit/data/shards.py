"""Keep finished work over an interruption, in shards of rows. Each has a record that is written last.

A shard is a parquet file of kept rows, and a JSON record with its checksum, the tally and the keys. It counts only with
its record. Shards are numbered. If one is missing or damaged, all after it are made again.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from daro_verl.atomic import write_atomically
from daro_verl.errors import DaroDataError
from daro_verl.toolkit.data.row_tally import RowTally

STATE = "state.json"
MADE_BY = "daro_verl.data"


@dataclass(frozen=True)
class Shard:
    """Rows of one source. ``is_last``: the source ends here. ``keys``: the answer of each kept problem, by key."""

    source: str
    tally: RowTally
    is_last: bool
    keys: dict[str, str]


class Shards:
    """The shards of one file, in one directory.

    Args:
        directory: emptied if it has the work for another file of this command.
        fingerprint: digest of everything that the result depends on.

    Raises:
        DaroDataError: this command did not make the directory.
    """

    def __init__(self, directory: Path, fingerprint: str) -> None:
        self.directory = directory
        state = {"made_by": MADE_BY, "fingerprint": fingerprint}
        if directory.exists():
            found = _read_json(directory / STATE)
            if found is None and any(directory.iterdir()) or found is not None and found.get("made_by") != MADE_BY:
                fix = "choose another --out, or move that directory"
                expected = "unfinished work of this command"
                raise DaroDataError(str(directory), got="files of another program", expected=expected, fix=fix)
            if found is not None and found | state == found:
                return
            shutil.rmtree(directory)
        directory.mkdir(parents=True, exist_ok=True)
        write_atomically(directory / STATE, json.dumps(state))

    def pinned(self, resolve: Callable[[], dict[str, str]]) -> dict[str, str]:
        """Commits of the hub's data sets, by source. If this work has not recorded any, ``resolve`` finds them."""
        state = _read_json(self.directory / STATE) or {}
        if "revisions" not in state:
            state["revisions"] = resolve()
            write_atomically(self.directory / STATE, json.dumps(state))
        return dict(state["revisions"])

    def finished(self) -> list[Shard]:
        """The records of the complete shards. Everything after them is removed."""
        shards: list[Shard] = []
        while (shard := self._read(len(shards))) is not None:
            shards.append(shard)
        keep = {name for number in range(len(shards)) for name in (f"{number:06d}.parquet", f"{number:06d}.json")}
        for file in self.directory.iterdir():
            if file.name not in keep | {STATE}:
                file.unlink()
        return shards

    def write(self, number: int, shard: Shard, rows: pa.Table) -> None:
        """Add a shard. It counts once this returns."""
        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink)
        data = sink.getvalue().to_pybytes()
        record = {"source": shard.source, "tally": shard.tally.as_json(), "is_last": shard.is_last, "keys": shard.keys}
        record["checksum"] = hashlib.sha256(data).hexdigest()
        write_atomically(self._rows(number), data)
        write_atomically(self._record(number), json.dumps(record))

    def tables(self, count: int) -> Iterator[pa.Table]:
        """The rows of the first ``count`` shards."""
        for number in range(count):
            yield pq.read_table(self._rows(number))

    def remove(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)

    def _rows(self, number: int) -> Path:
        return self.directory / f"{number:06d}.parquet"

    def _record(self, number: int) -> Path:
        return self.directory / f"{number:06d}.json"

    def _read(self, number: int) -> Shard | None:
        record = _read_json(self._record(number))
        if record is None or not self._rows(number).exists():
            return None
        if hashlib.sha256(self._rows(number).read_bytes()).hexdigest() != record.get("checksum"):
            return None
        return Shard(record["source"], RowTally.from_json(record["tally"]), record["is_last"], record["keys"])


def _read_json(path: Path) -> dict[str, Any] | None:
    """The mapping in a file; None if the file is absent or damaged."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
