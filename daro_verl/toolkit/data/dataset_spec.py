"""The inputs of one file, and a digest that identifies them."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from daro_verl.toolkit.data.problem import PromptStyle, Source
from daro_verl.toolkit.data.raw_rows import local_files

FORMAT = 2  # of the file and of the cleaning. With a new number, older finished files count as files of other arguments


@dataclass(frozen=True)
class DatasetSpec:
    """One file to write.

    Args:
        sources: the data sets, in the order of their rows.
        out: the parquet file.
        split: ``test`` files have ``__rollout_n__``.
        local: files to read instead of the hub, by source.
        tests: files whose problems are dropped.
        arguments: the arguments of generated tasks, which have no file that identifies them.
        limit: raw rows of each source; None for all.
        shard_rows: raw rows in one shard.
    """

    sources: tuple[Source, ...]
    out: Path
    split: Literal["train", "test"]
    style: PromptStyle = PromptStyle()
    local: dict[str, Path] = field(default_factory=dict)
    tests: tuple[Path, ...] = ()
    arguments: Any = None
    limit: int | None = None
    shard_rows: int = 2000
    overwrite: bool = False

    @property
    def from_hub(self) -> tuple[Source, ...]:
        """Sources that are neither local files nor generated."""
        return tuple(item for item in self.sources if item.rows is None and item.name not in self.local)

    @property
    def fingerprint(self) -> str:
        """A digest of all arguments. Files count by path, size and time.

        The commit of a data set on the hub is recorded when its rows are first read. See
        :meth:`daro_verl.toolkit.data.shards.Shards.pinned`.
        """
        files = [file for path in self.local.values() for file in local_files(path)] + list(self.tests)
        stats = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
        sources = [
            (
                source.name,
                source.hub_id,
                source.config,
                source.splits,
                source.rollouts,
                *filter(None, [source.revision]),
            )
            for source in self.sources
        ]
        style = (self.style.system, self.style.suffix)
        parts = (FORMAT, sources, self.split, style, sorted(map(str, self.local)), stats, self.arguments, self.limit)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]
