"""Logs on disk, in every state that a job can leave them in."""

import math
import struct
import sys

import numpy as np
import pandas as pd
import pytest

from daro_verl.errors import DaroConfigError
from daro_verl.toolkit.report import run_logs
from daro_verl.toolkit.report.log_files import count_records
from daro_verl.toolkit.report.run_sources import parse_sources
from tests.toolkit.report.logs import loss, metrics, read, validation, weight, write_events, write_json_lines


def test_json_lines(tmp_path):
    write_json_lines(tmp_path / "run.jsonl", {0: validation(), 1: metrics(1), 2: metrics(2)})
    run = read(tmp_path)
    assert run.steps == {0, 1, 2} and run.warnings == ()
    assert run.history.loc[2, "actor/daro/weight/3of4"] == weight(3, 2)
    assert run.history.loc[0, "val-core/math-ai/aime24/acc/mean@8"] == 0.2
    assert "perf/throughput" not in run.history and "val-core/math500/acc/best@8/mean" not in run.history
    assert math.isnan(run.history.loc[2, "actor/daro/loss/3of4"])  # the bin was absent


def test_event_files_of_torch(tmp_path):
    write_events(tmp_path / "tensorboard", {1: metrics(1) | validation(), 2: metrics(2)})
    run = read(tmp_path)
    assert run.steps == {1, 2} and run.warnings == ()
    # TensorBoard keeps float32
    assert run.history.loc[2, "actor/daro/loss/2of4"] == np.float32(loss(2, 2))
    assert run.history.loc[1, "val-core/math500/acc/mean@8"] == np.float32(0.6)


def test_both_loggers_merge_and_json_lines_win(tmp_path):
    write_events(tmp_path / "tensorboard", {1: {"actor/entropy": 8.0, "critic/rewards/mean": 0.25}, 2: metrics(2)})
    write_json_lines(tmp_path / "logs" / "a.jsonl", {1: {"actor/entropy": 0.1}, 3: metrics(3)})
    history = read(tmp_path).history
    assert list(history.index) == [1, 2, 3]
    assert history.loc[1, "actor/entropy"] == 0.1  # not rounded to float32, not 8
    assert history.loc[1, "critic/rewards/mean"] == 0.25


@pytest.mark.parametrize("tail", ['{"step": 3, "da', '{"step": 3, "data": {"actor/entropy": 0.', "\x00\x00"])
def test_a_half_written_last_line_is_left_out_with_a_warning(tmp_path, tail):
    write_json_lines(tmp_path / "a.jsonl", {1: metrics(1), 2: metrics(2)}, tail)
    run = read(tmp_path)
    assert run.steps == {1, 2}
    assert len(run.warnings) == 1 and "a.jsonl: last line ignored" in run.warnings[0]


def test_a_whole_last_line_without_its_newline_counts(tmp_path):
    write_json_lines(tmp_path / "a.jsonl", {1: metrics(1)}, '{"step": 2, "data": {"actor/entropy": 0.5}}')
    run = read(tmp_path)
    assert run.history.loc[2, "actor/entropy"] == 0.5 and run.warnings == ()


def test_broken_lines_are_counted_and_the_others_read(tmp_path):
    bad = '[1]\n{"step": "x", "data": {}}\n{"step": -1, "data": {}}\n{"step": 2, "data": {"actor/entropy": 0.5}}\n'
    path = write_json_lines(tmp_path / "a.jsonl", {1: metrics(1)}, bad)
    path.write_bytes(b"\xff\xfe\n" + path.read_bytes())
    run = read(tmp_path)
    assert run.steps == {1, 2} and run.history.loc[2, "actor/entropy"] == 0.5
    assert run.warnings == (
        "a.jsonl: 4 broken line(s) ignored (line 1, 3, 4, ...): not the records of a file logger",
    )  # fmt: skip


def test_values_that_are_no_numbers(tmp_path):
    data = '"actor/entropy": "high", "response_length/mean": null, "critic/rewards/mean": 1e999, "critic/score/mean": 1'
    write_json_lines(tmp_path / "a.jsonl", {}, '{"step": 1, "data": {' + data + "}}\n")
    run = read(tmp_path)
    assert "actor/entropy" not in run.history
    assert math.isnan(run.history.loc[1, "response_length/mean"])  # verl's file logger writes NaN as null
    assert run.warnings == ("critic/rewards/mean: 1 infinite value(s) left out",)


def test_dumped_rollouts_are_not_taken_for_a_log(tmp_path):
    write_json_lines(tmp_path / "logs.jsonl", {1: metrics(1)})
    (tmp_path / "rollouts").mkdir()
    (tmp_path / "rollouts" / "7.jsonl").write_text('{"input": "1+1", "output": "2", "score": 1.0, "step": 7}\n')
    run = read(tmp_path)
    assert run.steps == {1}
    assert run.warnings == ("1 file(s) of other JSON lines not read: rollouts/7.jsonl",)


def test_a_resumed_job_counts_the_later_attempt(tmp_path):
    """Killed in step 4 of its first attempt, resumed after step 2: step 2 is only validated again."""
    write_json_lines(tmp_path / "attempts/0001.jsonl", {1: metrics(1), 2: metrics(2) | validation(), 3: metrics(3)})
    again = {2: validation(0.1), 3: {"actor/daro/loss/1of4": 7.0, "actor/entropy": 0.7}, 4: metrics(4)}
    write_json_lines(tmp_path / "attempts/0002.jsonl", again)
    run = read(tmp_path)
    assert list(run.history.index) == [1, 2, 3, 4]
    assert run.history.loc[2, "actor/daro/weight/1of4"] == weight(1, 2)  # only validation was repeated
    assert run.history.loc[2, "val-core/math500/acc/mean@8"] == pytest.approx(0.7)
    assert run.history.loc[3, "actor/daro/loss/1of4"] == 7.0
    assert math.isnan(run.history.loc[3, "actor/daro/loss/3of4"])  # the bin was absent in the repeated step
    assert "attempts/0002.jsonl repeats steps 2 to 3: earlier values of these steps do not count" in run.warnings


def test_steps_that_a_resumed_job_has_not_reached_again_do_not_count(tmp_path):
    write_json_lines(tmp_path / "2.jsonl", {step: metrics(step) for step in range(1, 9)})
    write_json_lines(tmp_path / "10.jsonl", {5: metrics(5)})  # 10 comes after 2
    history = read(tmp_path).history
    assert history["actor/entropy"].dropna().index.max() == 5


def test_a_lost_validation_and_a_metric_that_is_no_longer_logged_do_not_count(tmp_path):
    """The first attempt is lost after step 4, where it was validated last; the second one has trained step 5 again."""
    lost = {step: metrics(step) for step in range(1, 7)}
    lost[4], lost[6] = lost[4] | validation(), lost[6] | validation(0.9)
    write_json_lines(tmp_path / "1.jsonl", lost)
    write_json_lines(tmp_path / "2.jsonl", {5: {"actor/entropy": 0.5}})
    run = read(tmp_path)
    assert run.history["val-core/math500/acc/mean@8"].dropna().index.tolist() == [4]
    assert run.history["actor/daro/weight/1of4"].dropna().index.max() == 4
    assert "2.jsonl repeats steps 5 to 6: earlier values of these steps do not count" in run.warnings


def test_event_files_are_ordered_by_time_not_by_name(tmp_path):
    first = write_events(tmp_path, {1: {"actor/entropy": 1.0}, 2: {"actor/entropy": 2.0}})
    first.rename(tmp_path / "z.tfevents.1")
    second = write_events(tmp_path / "b", {2: {"actor/entropy": 9.0}})
    second.rename(tmp_path / "a.tfevents.2")
    assert list(read(tmp_path).history["actor/entropy"]) == [1.0, 9.0]


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_a_truncated_event_file_is_read_up_to_its_end(tmp_path, cut):
    file = write_events(tmp_path, {1: {"actor/entropy": 1.0}, 2: {"actor/entropy": 2.0}})
    file.write_bytes(file.read_bytes()[:-cut])
    run = read(tmp_path)
    assert run.history.loc[1, "actor/entropy"] == 1.0 and list(run.history.index) == [1]
    assert len(run.warnings) == 1 and "last record ignored" in run.warnings[0]


def test_a_damaged_event_file_is_read_up_to_the_damage(tmp_path):
    file = write_events(tmp_path, {step: {"actor/entropy": float(step)} for step in range(1, 6)})
    content = bytearray(file.read_bytes())
    content[_start_of_record(content, 3) + 13] ^= 0xFF  # record 0 is the version, so record 3 is step 3
    file.write_bytes(bytes(content))
    run = read(tmp_path)
    assert list(run.history.index) == [1, 2]
    assert len(run.warnings) == 1 and "3 of at least 6 records are readable" in run.warnings[0]


def _start_of_record(content: bytes, number: int) -> int:
    position = 0
    for _ in range(number):
        position += 16 + struct.unpack_from("<Q", content, position)[0]
    return position


def test_records_of_a_file(tmp_path):
    # length 3, its checksum, data, their checksum: 8 + 4 + 3 + 4 = 19 bytes; then 5 bytes of the next record
    (tmp_path / "x").write_bytes(struct.pack("<Q", 3) + bytes(4 + 3 + 4) + bytes(5))
    assert count_records(tmp_path / "x") == (1, 5)


@pytest.mark.parametrize("content", [b"", b"abc", bytes(range(256)) * 20], ids=["empty", "short", "noise"])
def test_garbage_is_named_and_the_rest_read(tmp_path, content):
    (tmp_path / "events.out.tfevents.1.x").write_bytes(content)
    (tmp_path / "b.jsonl").write_bytes(content)
    write_json_lines(tmp_path / "c.jsonl", {1: metrics(1)})
    run = read(tmp_path)
    assert run.steps == {1} and run.history.loc[1, "actor/daro/weight/2of4"] == weight(2, 1)
    assert any("events.out.tfevents.1.x" in warning for warning in run.warnings)
    assert any("b.jsonl" in warning for warning in run.warnings)


def test_an_empty_directory(tmp_path):
    run = read(tmp_path)
    assert run.history.empty and run.steps == frozenset() and "no log in it" in run.warnings[0]


def test_a_file_that_vanishes_meanwhile_is_named_and_the_rest_read(tmp_path, monkeypatch):
    write_json_lines(tmp_path / "a.jsonl", {1: metrics(1)})
    write_json_lines(tmp_path / "b.jsonl", {2: metrics(2)})
    find = run_logs._find

    def find_and_lose(path):
        found = find(path)
        (tmp_path / "a.jsonl").unlink()
        return found

    monkeypatch.setattr(run_logs, "_find", find_and_lose)
    run = read(tmp_path)
    assert run.steps == {2} and run.warnings == ("a.jsonl: not read, No such file or directory",)


def test_without_tensorboard_json_lines_are_still_read(tmp_path, monkeypatch):
    write_events(tmp_path, {1: metrics(1)})
    write_json_lines(tmp_path / "a.jsonl", {1: metrics(1)})
    name = "tensorboard.backend.event_processing.event_file_loader"
    monkeypatch.setitem(sys.modules, name, None)
    run = read(tmp_path)
    assert run.history.loc[1, "actor/entropy"] == 0.5
    assert any("Fix: pip install tensorboard" in warning for warning in run.warnings)


@pytest.mark.parametrize(
    ("directories", "methods"),
    [
        (["grpo-seed1", "grpo_seed_2", "grpo.seed=3"], ["grpo"] * 3),
        (["daro/seed1", "daro/Seed-22"], ["daro"] * 2),
        (["daro", "reseeded"], ["daro", "reseeded"]),
        (["lr=0.1-seed1"], ["lr=0.1"]),  # exists as it stands, so the = is no label
        (["A=x", "A=y", "B=z"], ["A", "A", "B"]),
    ],
)
def test_methods_of_runs(tmp_path, monkeypatch, directories, methods):
    monkeypatch.chdir(tmp_path)
    for directory in directories:
        name = directory.partition("=")[2] if directory[1] == "=" else directory
        (tmp_path / name).mkdir(parents=True)
    assert [source.method for source in parse_sources(directories)] == methods


def test_names_are_unique_and_hide_folders(tmp_path):
    for directory in ("a/x", "b/x", "y"):
        (tmp_path / directory).mkdir(parents=True)
    sources = parse_sources([str(tmp_path / directory) for directory in ("a/x", "b/x", "y")])
    assert [source.name for source in sources] == ["a/x", "b/x", "y"]


@pytest.mark.parametrize(
    ("arguments", "message"), [(["no"], "got 'no'"), (["=x"], "LABEL=PATH"), (["x", "A=x"], "got '2 times the same")]
)
def test_wrong_arguments(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    with pytest.raises(DaroConfigError, match=message):
        parse_sources(arguments)


def test_history_has_steps_as_index(tmp_path):
    write_json_lines(tmp_path / "a.jsonl", {2: metrics(2), 1: metrics(1)})
    assert isinstance(read(tmp_path).history, pd.DataFrame)
    assert list(read(tmp_path / "a.jsonl").history.index) == [1, 2]
