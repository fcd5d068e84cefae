r"""The published files as they are: how many rows stay, and that every gold answer is met by itself and its rewrites.

The files are not part of the project. Where they are not there (``benchmarks.reward.real_files.folder``), files of the
same form are made here.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from benchmarks.reward import real_files
from benchmarks.reward.rewrites import RIGHT
from daro_verl.cli import main
from daro_verl.reward.math import compute_score
from daro_verl.toolkit.data.parquet_file import report_path
from daro_verl.toolkit.data.sources import TESTS
from tests.toolkit.data import raw


class Counts(NamedTuple):
    """Rows of the real file, and of them what is dropped or remarked upon."""

    read: int
    dropped: dict[str, int] = {}
    remarks: list[str] = []


REAL = {
    "aime24": Counts(30),
    "aime25": Counts(30),
    "amc": Counts(40, remarks=["amc: 40 rows, but published scores are over 83. Do not compare scores of this file."]),
    "math500": Counts(500),
    "minerva": Counts(272),
    "olympiadbench": Counts(675),
    "gsm8k": Counts(1319),
    "openr1": Counts(2019, {"duplicate": 459}),  # LUFFY's validation file has AIME eight times and AMC four times
}

MINERVA = [r"\boxed{4.5e33} \mathrm{erg}", r"$\boxed{E_{1},E_{2}}$", r"\[ \boxed{\frac{10^{5} L_{\odot}}{c^{2}}} \]"]
OLYMPIAD = [["$t(0,4]$"], ["$69$,$84$"], ["$a_{n} =2 n    +1$"], ["$2^{1009}$"], [r"$(-\infty, 0) \cup\{1\}$"]]
MATH = [r"10,\!080", r"\$18.90", r"\left( 3, \frac{\pi}{2} \right)", r"2516_8", r"\text{(C)}", r"90^\circ", r"10\%"]
_THINK = "Your task is to think."
MADE: dict[str, list[raw.Row]] = {
    "aime24": [raw.aime24("Find $n$.", "073") | {"question": "Find $n$."}],
    "aime25": [{"id": "0", "question": "Find the sum of all bases.", "answer": 70.0}],
    "amc": [raw.amc("How far?", 27.0) | {"question": "How far?"}],
    "math500": [raw.math500(f"Problem {number}.", answer) for number, answer in enumerate(MATH)],
    "minerva": [
        {"problem": f"Problem {number}.", "solution": solution, "type": "Astronomy", "idx": number}
        for number, solution in enumerate(MINERVA)
    ],
    "olympiadbench": [raw.olympiadbench(f"Problem {number}.", answer) for number, answer in enumerate(OLYMPIAD)],
    "gsm8k": [{"question": "How much?", "answer": "It is <<9*2=18>>18.\n#### 1,018", "idx": 0}],
    "openr1": [raw.openr1(f"Problem {number}.", "25", number, _THINK) for number in (0, 1, 0, 1)],
}
MADE_COUNTS = {name: Counts(len(rows)) for name, rows in MADE.items()} | {"openr1": Counts(4, {"duplicate": 2})}
# The rules of benchmarks.reward_rules that a gold answer is likely to meet.
USUAL = ("itself", "text", "dfrac", "wider", "narrower", "left and right", "degrees", "percent", "without its unit")
RULES = [rule for name, rule in RIGHT.items() if name in USUAL or name.startswith("thousands")]


@pytest.fixture(params=REAL)
def case(request, tmp_path):
    """``(source, file, counts)``: the real file, or one of its form."""
    source, name = request.param, real_files.FILES[request.param]
    if (file := real_files.folder() / name).exists():
        return source, file, REAL[source]
    write = raw.write_parquet if name.endswith(".parquet") else raw.write_jsonl
    return source, write(tmp_path / name, MADE[source]), MADE_COUNTS[source]


def test_every_row_is_kept_or_dropped_for_a_reason(case, tmp_path, capsys):
    source, file, counts = case
    command = ["test", source] if source in TESTS else ["train", source, "--no-test"]
    out = tmp_path / "out.parquet"
    assert main(["data", *command, "--local", f"{source}={file}", "--out", str(out)]) == 0
    report = json.loads(report_path(out).read_text())
    found = report["sources"][source]
    kept = counts.read - sum(counts.dropped.values())
    assert (found["read"], found["kept"], found["dropped"]) == (counts.read, kept, counts.dropped)
    assert found["remarks"] == {}  # of answers that cannot be scored, or of duplicates
    assert report["remarks"] == counts.remarks or counts is MADE_COUNTS[source]


def test_every_gold_answer_is_met_by_itself_and_its_usual_rewrites(case):
    source, file, _ = case
    golds = real_files.golds(real_files.problems(source, file))
    rules = RULES if source in TESTS else [RIGHT["itself"]]  # LUFFY's file has the problems of the others
    pairs = list(dict.fromkeys((gold, answer) for gold in golds for rule in rules for answer in rule(gold)))
    with ThreadPoolExecutor(4) as threads:
        verdicts = list(threads.map(_is_right, pairs))
    assert [pair for pair, right in zip(pairs, verdicts, strict=True) if not right] == []
    assert set(golds) <= {gold for gold, _ in pairs}


def _is_right(pair):
    gold, answer = pair
    return compute_score("test", rf"\boxed{{{answer}}}", gold, deadline_s=60.0)["acc"] == 1
