"""Build one file from its sources: read rows, write shards, then the finished file and its report."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from daro_verl.errors import DaroConfigError, DaroDataError
from daro_verl.toolkit.data.cleaning import Check, Cleaner
from daro_verl.toolkit.data.dataset_spec import DatasetSpec
from daro_verl.toolkit.data.parquet_file import is_finished, merge, report_path, table
from daro_verl.toolkit.data.parquet_file import row as verl_row
from daro_verl.toolkit.data.problem import Dropped, Source
from daro_verl.toolkit.data.raw_rows import commit, raw_rows, test_keys
from daro_verl.toolkit.data.row_tally import RowTally, size_remark
from daro_verl.toolkit.data.shards import Shard, Shards

OnProgress = Callable[[str, RowTally], None]


@dataclass(frozen=True)
class Result:
    """A finished file.

    ``tallies``: counts by source. ``remarks``: on the whole file. ``num_rows``: rows of the file. ``was_there``:
    whether an earlier run finished it. ``revisions``: commits of the sources from the hub.
    """

    tallies: dict[str, RowTally]
    remarks: list[str]
    num_rows: int
    was_there: bool = False
    revisions: dict[str, str] = field(default_factory=dict)


def build(spec: DatasetSpec, check: Check, on_progress: OnProgress = lambda name, tally: None) -> Result:
    """Write the file, and return its result. Go on where an interrupted run with the same arguments stopped.

    Raises:
        DaroError: a file cannot be read or written, or no row is left.
    """
    for file in spec.tests:
        if not file.is_file():
            raise DaroConfigError("--test", got=str(file), expected="an existing file", fix="write the test file first")
    fingerprint = spec.fingerprint
    spec.out.parent.mkdir(parents=True, exist_ok=True)
    work = spec.out.with_name(f".{spec.out.name}.work")
    if is_finished(spec.out, fingerprint, spec.overwrite):
        if work.exists():  # killed between its last two steps
            Shards(work, fingerprint).remove()
        return _read_result(spec)
    shards = Shards(work, fingerprint)
    done = shards.finished()
    seen = {key: answer for shard in done for key, answer in shard.keys.items()}
    cleaner = Cleaner(test_keys(spec.tests), check, seen)
    revisions = shards.pinned(lambda: {source.name: commit(source) for source in spec.from_hub})
    for source in spec.sources:
        pinned = replace(source, revision=revisions.get(source.name))
        _read_source(spec, pinned, cleaner, shards, done, on_progress)
    return _finish(spec, fingerprint, shards, done, revisions)


def _read_source(
    spec: DatasetSpec, source: Source, cleaner: Cleaner, shards: Shards, done: list[Shard], on_progress: OnProgress
) -> None:
    """Add the source's remaining shards to ``done``."""
    own = [shard for shard in done if shard.source == source.name]
    total = RowTally()
    for shard in own:
        total.add(shard.tally)
    on_progress(source.name, total)
    if own and own[-1].is_last:
        return
    raw = raw_rows(source, spec.local.get(source.name), skip=total.read)
    raw = islice(raw, None if spec.limit is None else max(0, spec.limit - total.read))
    is_last = False
    while not is_last:
        index = sum(shard.tally.kept for shard in done)
        shard, rows = _read_shard(spec, source, cleaner, list(islice(raw, spec.shard_rows)), index)
        is_last = shard.is_last
        shards.write(len(done), shard, table(rows, spec.split))
        done.append(shard)
        total.add(shard.tally)
        on_progress(source.name, total)


def _read_shard(
    spec: DatasetSpec, source: Source, cleaner: Cleaner, raw: list[Any], index: int
) -> tuple[Shard, list[dict[str, Any]]]:
    tally = RowTally(read=len(raw))
    rows: list[dict[str, Any]] = []
    keys: dict[str, str] = {}
    for entry in raw:
        try:
            problem, key, remarks = cleaner.clean(source, entry)
        except Dropped as dropped:
            tally.drop(dropped.reason, dropped.detail)
            continue
        for remark in remarks:
            tally.remark(remark.reason, remark.detail)
        rows.append(verl_row(problem, source, spec.style, spec.split, index + len(rows), key))
        keys.setdefault(key, problem.answer)
    tally.kept = len(rows)
    return Shard(source.name, tally, len(raw) < spec.shard_rows, keys), rows


def _finish(
    spec: DatasetSpec, fingerprint: str, shards: Shards, done: list[Shard], revisions: dict[str, str]
) -> Result:
    tallies = {source.name: RowTally() for source in spec.sources}
    for shard in done:
        tallies[shard.source].add(shard.tally)
    if not any(tally.kept for tally in tallies.values()):
        reasons = sum((tally.dropped for tally in tallies.values()), start=Counter[str]())
        fix = "check that the files have the columns that docs/data.md lists"
        raise DaroDataError(str(spec.out), got=f"no row is left ({dict(reasons)})", expected="at least one", fix=fix)
    sized = [source for source in spec.sources if spec.split == "test"]
    remarks = [size_remark(source.name, tallies[source.name], source.num_rows) for source in sized]
    num_rows = sum(tally.kept for tally in tallies.values())
    result = Result(tallies, [remark for remark in remarks if remark], num_rows, revisions=revisions)
    report: dict[str, Any] = {
        "sources": {name: tally.as_json() for name, tally in tallies.items()},
        "remarks": result.remarks,
    }
    values = {"fingerprint": fingerprint, "split": spec.split, "revisions": revisions}
    report |= {"revisions": revisions, "num_rows": num_rows}
    merge(shards.tables(len(done)), spec.out, spec.split, values, report)
    shards.remove()
    return result


def _read_result(spec: DatasetSpec) -> Result:
    report = json.loads(report_path(spec.out).read_bytes())
    tallies = {name: RowTally.from_json(values) for name, values in report["sources"].items()}
    return Result(tallies, report["remarks"], report["num_rows"], True, report.get("revisions", {}))
