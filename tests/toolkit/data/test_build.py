r"""From rows to a file: what is kept, what is reported, and what an interruption leaves."""

import dataclasses
import json

import pyarrow.parquet as pq
import pytest

from daro_verl.errors import DaroDataError
from daro_verl.toolkit.data import build as module
from daro_verl.toolkit.data.build import build
from daro_verl.toolkit.data.dataset_spec import DatasetSpec
from daro_verl.toolkit.data.parquet_file import report_path
from daro_verl.toolkit.data.problem import CONTRADICTION, DUPLICATE, GOLD, IN_TEST, LEVEL, MISSING, NO_BOX, PromptStyle
from daro_verl.toolkit.data.sources import SOURCES
from tests.toolkit.data import raw


def accept(text):
    return "is bad" if text == "bad" else None


def training_job(tmp_path, rows, source="math", **settings):
    file = raw.write_jsonl(tmp_path / f"{source}.jsonl", rows)
    defaults = {"sources": (SOURCES[source],), "out": tmp_path / "train.parquet", "split": "train"}
    return DatasetSpec(**defaults | {"local": {source: file}, "shard_rows": 2} | settings)


def test_job(tmp_path, rows_of=None, **settings):
    rows_of = raw.BENCHMARK_ROWS if rows_of is None else rows_of
    local = {name: raw.write_parquet(tmp_path / f"{name}.parquet", rows) for name, rows in rows_of.items()}
    sources = tuple(SOURCES[name] for name in rows_of)
    return DatasetSpec(
        **{"sources": sources, "out": tmp_path / "test.parquet", "split": "test", "local": local} | settings
    )


test_job.__test__ = False
NUMBERED = [raw.math(f"Problem number {number}: find it.", rf"\boxed{{{number}}}") for number in range(7)]


def problems(out):
    return [row["prompt"][-1]["content"].split(":")[0] for row in pq.read_table(out).to_pylist()]


def everything(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.suffix == ".parquet"}


def test_every_reason_is_counted(tmp_path):
    tests = build(test_job(tmp_path), accept)
    assert tests.num_rows == 7
    rows = [
        raw.math("Find $x$.", r"\boxed{1}"),
        raw.math("find  $x$", r"\boxed{1}"),  # duplicate
        raw.math("Find x?", r"\boxed{2}"),  # duplicate with another answer
        raw.math("Easy.", r"\boxed{1}", "Level 1"),
        raw.math("No box.", "1"),
        raw.math("Unreadable.", r"\boxed{bad}"),
        raw.math("FIND the least $ n $ with $n!>10^{70}$", r"\boxed{73}"),  # AIME's, set differently
        raw.math("", r"\boxed{1}"),
    ]
    job = training_job(tmp_path, rows, tests=(tmp_path / "test.parquet",))
    tally = build(job, accept).tallies["math"]
    expected = {DUPLICATE: 1, CONTRADICTION: 1, LEVEL: 1, NO_BOX: 1, GOLD: 1, IN_TEST: 1, MISSING: 1}
    assert (tally.read, tally.kept, dict(tally.dropped)) == (8, 1, expected)
    report = json.loads(report_path(job.out).read_text())
    assert report["sources"]["math"]["dropped"] == expected
    assert report["sources"]["math"]["examples"][GOLD] == ["'bad' is bad"]
    assert problems(job.out) == ["Find $x$. Let's think step by step and output the final answer within \\boxed{}."]


def test_dapo_repeats_are_one_row_and_are_parsed_once(tmp_path):
    parsed = []
    rows = [raw.dapo_original("Find $x$.", "34")] * 100 + [raw.dapo_original("Find $y$.", "35")]
    result = build(training_job(tmp_path, rows, "dapo", shard_rows=10), parsed.append)
    assert result.tallies["dapo"].dropped == {DUPLICATE: 99}
    assert parsed == ["34", "35"]


def test_a_benchmark_keeps_its_rows_and_says_what_is_odd(tmp_path):
    rows = {"math500": [raw.math500("Find $x$.", "1"), raw.math500("Find x", "2"), raw.math500("Why?", "bad")]}
    result = build(test_job(tmp_path, rows), accept)
    tally = result.tallies["math500"]
    assert (tally.kept, tally.dropped, tally.remarks) == (3, {}, {CONTRADICTION: 1, GOLD: 1})
    assert result.remarks == ["math500: 3 rows, but published scores are over 500. Do not compare scores of this file."]


def test_rows_are_in_verls_schema(tmp_path):
    build(test_job(tmp_path), accept)
    rows = {row["data_source"]: row for row in pq.read_table(tmp_path / "test.parquet").to_pylist()}
    row = rows["olympiadbench"]
    assert row["reward_model"] == {"style": "rule", "ground_truth": "69,84"}
    assert row["extra_info"]["answer"] == "$69$,$84$"
    assert row["extra_info"]["split"] == "test"
    assert [message["role"] for message in row["prompt"]] == ["user"]
    assert {name: row["__rollout_n__"] for name, row in rows.items()} == {
        "aime24": 32, "aime25": 32, "amc": 32, "math500": 1, "minerva": 1, "olympiadbench": 1,
    }  # fmt: skip
    indices = pq.read_table(tmp_path / "test.parquet")["extra_info"].combine_chunks().field("index").to_pylist()
    assert indices == list(range(7))


def test_training_files_do_not_fix_the_number_of_responses(tmp_path):
    build(training_job(tmp_path, NUMBERED), accept)
    assert "__rollout_n__" not in pq.read_schema(tmp_path / "train.parquet").names


STYLES = {
    "the source's own": (PromptStyle(), [raw.THINK], "Find $x$."),
    "none": (PromptStyle(system=""), [], "Find $x$." + SOURCES["openr1"].suffix),
    "another": (PromptStyle(system="Be brief."), ["Be brief."], "Find $x$."),
    "a suffix": (PromptStyle(system="", suffix=" Go."), [], "Find $x$. Go."),
}


@pytest.mark.parametrize(("style", "system", "user"), STYLES.values(), ids=STYLES)
def test_what_the_model_is_asked(tmp_path, style, system, user):
    build(training_job(tmp_path, [raw.openr1("Find $x$.", "1")], "openr1", style=style), accept)
    (row,) = pq.read_table(tmp_path / "train.parquet").to_pylist()
    assert [message["content"] for message in row["prompt"]] == [*system, user]


class Interrupted(Exception):
    pass


def interrupt(monkeypatch, after):
    """Raise in the middle of the row that follows ``after`` rows. Returns what was read, also by later runs."""
    read = []

    def counting(source, local, skip=0, original=module.raw_rows):
        for row in original(source, local, skip):
            if len(read) == after:
                read.append("interrupted")
                raise Interrupted
            read.append(row["problem"])
            yield row

    monkeypatch.setattr(module, "raw_rows", counting)
    return read


@pytest.mark.parametrize("after", range(1, 7))
def test_an_interrupted_run_goes_on_where_it_was(tmp_path, monkeypatch, after):
    whole = training_job(tmp_path, NUMBERED, out=tmp_path / "whole.parquet")
    build(whole, accept)
    job = training_job(tmp_path, NUMBERED)
    read = interrupt(monkeypatch, after)
    with pytest.raises(Interrupted):
        build(job, accept)
    assert not job.out.exists()
    assert build(job, accept).num_rows == 7
    assert len(read) == 1 + after + 7 - after // 2 * 2  # shards of two rows that were whole are not read again
    assert pq.read_table(job.out).equals(pq.read_table(whole.out))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "math.jsonl", "train.parquet", "train.report.json", "whole.parquet", "whole.report.json",
    ]  # fmt: skip


def test_duplicates_are_found_across_an_interruption(tmp_path, monkeypatch):
    rows = [*NUMBERED[:3], NUMBERED[0], *NUMBERED[3:]]
    job = training_job(tmp_path, rows)
    interrupt(monkeypatch, 3)
    with pytest.raises(Interrupted):
        build(job, accept)
    assert build(job, accept).tallies["math"].dropped == {DUPLICATE: 1}


def damage_truncated(work):
    file = work / "000001.parquet"
    file.write_bytes(file.read_bytes()[:-20])


def damage_flipped(work):
    file = work / "000001.parquet"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 255
    file.write_bytes(bytes(data))


def damage_record(work):
    (work / "000001.json").write_text('{"source": "ma')


def damage_partial(work):
    (work / "000002.parquet.partial").write_bytes(b"half a file")


def damage_without_record(work):
    (work / "000001.json").unlink()


DAMAGES = [damage_truncated, damage_flipped, damage_record, damage_partial, damage_without_record]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_work_is_done_again(tmp_path, monkeypatch, damage):
    job = training_job(tmp_path, NUMBERED)
    interrupt(monkeypatch, 5)
    with pytest.raises(Interrupted):
        build(job, accept)
    damage(tmp_path / ".train.parquet.work")
    assert build(job, accept).num_rows == 7
    assert problems(job.out) == [f"Problem number {number}" for number in range(7)]


def test_interrupted_while_merging(tmp_path, monkeypatch):
    job = training_job(tmp_path, NUMBERED)
    with monkeypatch.context() as patch:
        patch.setattr(module, "merge", lambda *_: (_ for _ in ()).throw(Interrupted))
        with pytest.raises(Interrupted):
            build(job, accept)
    read = interrupt(monkeypatch, 100)
    assert build(job, accept).num_rows == 7
    assert read == []


def test_a_finished_file_is_left_alone(tmp_path):
    job = training_job(tmp_path, NUMBERED)
    first = build(job, accept)
    before = everything(tmp_path)
    again = build(job, accept)
    assert again.was_there and not first.was_there
    assert dataclasses.replace(again, was_there=False) == first
    assert everything(tmp_path) == before


def test_another_job_does_not_replace_a_file_unless_told_to(tmp_path):
    build(training_job(tmp_path, NUMBERED), accept)
    other = training_job(tmp_path, NUMBERED, style=PromptStyle(system="Be brief."))
    with pytest.raises(DaroDataError, match="--overwrite"):
        build(other, accept)
    assert build(dataclasses.replace(other, overwrite=True), accept).num_rows == 7


def test_files_of_others_are_never_replaced(tmp_path):
    job = training_job(tmp_path, NUMBERED, overwrite=True)
    raw.write_parquet(job.out, [{"a": 1}])
    before = job.out.read_bytes()
    with pytest.raises(DaroDataError, match="did not write"):
        build(job, accept)
    assert job.out.read_bytes() == before


def test_a_work_directory_of_others_is_never_removed(tmp_path):
    job = training_job(tmp_path, NUMBERED)
    work = tmp_path / ".train.parquet.work"
    work.mkdir()
    (work / "precious").write_text("data")
    with pytest.raises(DaroDataError, match="files of another program"):
        build(job, accept)
    assert (work / "precious").read_text() == "data"


def test_unfinished_work_of_other_arguments_is_not_used(tmp_path, monkeypatch):
    interrupt(monkeypatch, 5)
    with pytest.raises(Interrupted):
        build(training_job(tmp_path, NUMBERED), accept)
    result = build(training_job(tmp_path, NUMBERED, style=PromptStyle(system="Be brief.")), accept)
    assert result.num_rows == 7
    systems = {row["prompt"][0]["content"] for row in pq.read_table(tmp_path / "train.parquet").to_pylist()}
    assert systems == {"Be brief."}


def test_nothing_left_is_an_error(tmp_path):
    with pytest.raises(DaroDataError, match="no row is left.*level not asked for"):
        build(training_job(tmp_path, [raw.math("Easy.", r"\boxed{1}", "Level 1")]), accept)


def test_a_limit_counts_raw_rows(tmp_path):
    assert build(training_job(tmp_path, NUMBERED, limit=3), accept).num_rows == 3


def test_test_files_in_verls_schema_of_others(tmp_path):
    prompt = [{"role": "system", "content": "..."}, {"role": "user", "content": NUMBERED[2]["problem"]}]
    other = raw.write_parquet(tmp_path / "other.parquet", [{"prompt": prompt, "extra_info": {"index": 0}}])
    result = build(training_job(tmp_path, NUMBERED, tests=(other,)), accept)
    assert result.tallies["math"].dropped == {IN_TEST: 1}


def test_a_test_file_that_is_none(tmp_path):
    other = raw.write_parquet(tmp_path / "other.parquet", [{"question": "?"}])
    with pytest.raises(DaroDataError, match="verl's schema"):
        build(training_job(tmp_path, NUMBERED, tests=(other,)), accept)


def test_a_file_that_breaks_off_says_so(tmp_path):
    job = training_job(tmp_path, NUMBERED)
    with job.local["math"].open("a") as file:
        file.write('{"problem": "cut o')
    with pytest.raises(DaroDataError, match="math from .*math.jsonl"):
        build(job, accept)


def test_csv_and_directories_of_files(tmp_path):
    rows = [raw.openr1(f"Problem number {number}: find it.", str(number)) for number in range(4)]
    folder = tmp_path / "files"
    folder.mkdir()
    for part in (0, 1):
        lines = ["prompt,reward_model"]
        for row in rows[2 * part : 2 * part + 2]:
            cells = [str(row[name]).replace('"', '""') for name in ("prompt", "reward_model")]
            lines.append(",".join(f'"{cell}"' for cell in cells))
        (folder / f"part{part}.csv").write_text("\n".join(lines) + "\n")
    job = training_job(tmp_path, [], "openr1")
    result = build(dataclasses.replace(job, local={"openr1": folder}), accept)
    assert (result.num_rows, problems(job.out)) == (4, [f"Problem number {number}" for number in range(4)])
