"""The command itself: exit codes, messages, and the options that only it has."""

import json
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from daro_verl.cli import main
from daro_verl.toolkit.data import display
from daro_verl.toolkit.data.parquet_file import report_path
from tests.toolkit.data import raw


@pytest.fixture(autouse=True)
def quick_check(monkeypatch):
    """No math-verify: test_golds.py is about it."""
    monkeypatch.setattr(display, "check_gold", lambda text: None)
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def benchmark(tmp_path):
    """Arguments that write all six benchmarks from local files."""
    arguments = ["data", "test", "--out", str(tmp_path / "test.parquet")]
    for name, rows in raw.BENCHMARK_ROWS.items():
        arguments += ["--local", f"{name}={raw.write_jsonl(tmp_path / f'{name}.jsonl', rows)}"]
    return arguments


def train(tmp_path, *arguments):
    rows = [raw.openr1("Find $x$.", "1"), raw.openr1("How many miles is it from A to B", "142")]
    file = raw.write_jsonl(tmp_path / "openr1.jsonl", rows)
    return main(
        ["data", "train", "openr1", "--local", f"openr1={file}", "--out", str(tmp_path / "train.parquet"), *arguments]
    )


def test_benchmarks_then_training_without_them(tmp_path, benchmark, capsys):
    assert main(benchmark) == 0
    assert "aime24: 1 rows, but published scores are over 30" in " ".join(capsys.readouterr().out.split())
    assert train(tmp_path, "--test", str(tmp_path / "test.parquet")) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "also in a test file: How many miles" in out
    assert pq.read_metadata(tmp_path / "train.parquet").num_rows == 1


def test_a_second_run_changes_nothing(benchmark, tmp_path, capsys):
    assert main(benchmark) == 0
    before = (tmp_path / "test.parquet").stat().st_mtime_ns
    assert main(benchmark) == 0
    assert "was there already, with 7 rows" in " ".join(capsys.readouterr().out.split())
    assert (tmp_path / "test.parquet").stat().st_mtime_ns == before


def test_the_system_message_of_a_training_set_for_the_benchmarks(tmp_path, benchmark):
    file = raw.write_jsonl(tmp_path / "openr1.jsonl", [raw.openr1("Find $x$.", "1")])
    assert main([*benchmark, "--system-from", "openr1", "--local", f"openr1={file}"]) == 0
    rows = pq.read_table(tmp_path / "test.parquet").to_pylist()
    assert {row["prompt"][0]["content"] for row in rows} == {raw.THINK}
    assert not any("boxed" in row["prompt"][1]["content"] for row in rows)


WRONG = {
    "no test file": ([], "--test: got 'nothing'"),
    "a test file that is not there": (["--test", "nowhere.parquet"], "nowhere.parquet"),
    "local for another source": (["--no-test", "--local", "math=x.jsonl"], "sources of this file"),
    "a misspelt source": (["--no-test", "--local", "opnr1=x.jsonl"], "Fix: name one of openr1"),
    "splits for another source": (["--no-test", "--splits", "math=test"], "sources of this file"),
    "splits of a local file": (
        ["--no-test", "--splits", "openr1=train"],
        "Fix: leave it out: --local names the files to read",
    ),
    "not a pair": (["--no-test", "--splits", "openr1"], "NAME=VALUE"),
    "two system messages": (["--no-test", "--system", "", "--system-from", "openr1"], "no --system beside it"),
    "a source without system message": (
        ["--no-test", "--system-from", "math", "--local", "math={math}"],
        "--system-from",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_wrong_arguments(tmp_path, capsys, arguments, message):
    math = raw.write_jsonl(tmp_path / "math.jsonl", [raw.math("Find $x$.", r"\boxed{1}")])
    assert train(tmp_path, *[argument.format(math=math) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and "Fix:" in error
    assert not (tmp_path / "train.parquet").exists()


def test_names_of_files(tmp_path, capsys):
    assert main(["data", "train", "openr1", "--no-test", "--out", str(tmp_path / "train.json")]) == 2
    assert "ends in .parquet" in capsys.readouterr().err
    assert train(tmp_path, "--no-test", "--local", "openr1=again.jsonl") == 2
    assert "each name once" in capsys.readouterr().err
    missing = [
        "data",
        "train",
        "openr1",
        "--no-test",
        "--local",
        "openr1=nowhere.txt",
        "--out",
        str(tmp_path / "t.parquet"),
    ]
    assert main(missing) == 2
    assert "nowhere.txt" in capsys.readouterr().err


def test_sources_are_listed(capsys):
    assert main(["data", "sources"]) == 0
    assert "olympiadbench" in capsys.readouterr().out


def test_unknown_sources_are_refused_by_name(capsys):
    assert main(["data", "train", "gsm8k", "--no-test", "--out", "x.parquet"]) == 2
    assert "'gsm8k' is not one of openr1, dapo, math" in capsys.readouterr().err


SLOW = """
import dataclasses, sys, time
from daro_verl.cli import main
from daro_verl.toolkit.data import commands, display
make = commands.dataset_spec
def slow(text):
    time.sleep(0.02)
display.check_gold = slow
commands.dataset_spec = lambda *given, **more: dataclasses.replace(make(*given, **more), shard_rows=5)
sys.exit(main())
"""


def test_a_polite_kill_can_be_resumed(tmp_path):
    rows = [raw.math(f"Problem number {number}: find it.", rf"\boxed{{x_{number}}}") for number in range(200)]
    file = raw.write_jsonl(tmp_path / "math.jsonl", rows)
    arguments = [
        "data",
        "train",
        "math",
        "--no-test",
        "--local",
        f"math={file}",
        "--out",
        str(tmp_path / "train.parquet"),
    ]
    work = tmp_path / ".train.parquet.work"
    process = subprocess.Popen([sys.executable, "-c", SLOW, *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    end = time.monotonic() + 60
    while not (work / "000001.json").exists() and time.monotonic() < end:
        time.sleep(0.01)
    process.terminate()
    _, error = process.communicate(timeout=60)
    assert (process.returncode, (tmp_path / "train.parquet").exists()) == (130, False), error.decode()
    saved = len(list(work.glob("*.json"))) - 1
    assert saved >= 2
    assert main([*arguments[:-1], str(tmp_path / "other.parquet")]) == 0
    assert main(arguments) == 0
    assert json.loads(report_path(tmp_path / "train.parquet").read_text())["num_rows"] == 200
    tables = [pq.read_table(tmp_path / f"{name}.parquet") for name in ("train", "other")]
    assert tables[0].equals(tables[1])
