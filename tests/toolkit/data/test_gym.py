"""Generated tasks: the same from the same seed, and scored by the scorer that comes with them."""

import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from daro_verl.cli import main
from daro_verl.errors import DaroConfigError
from daro_verl.toolkit.data.cleaning import Cleaner
from daro_verl.toolkit.data.problem import GOLD, MISSING, Dropped, Problem
from daro_verl.toolkit.data.same_problem import identities
from daro_verl.toolkit.data.sources.gym import THRESHOLD, GymTask, create, parse_task, read, source

gym = pytest.importorskip("reasoning_gym")


def generate(tmp_path, name, *arguments):
    out = tmp_path / name
    knobs = '{"min_terms": 2, "max_terms": 3}'
    common = ["--task", f"chain_sum:{knobs}", "--task", "gcd", "--size", "5", "--no-test", "--out", str(out)]
    assert main(["data", "gym", *common, *arguments]) == 0
    return pq.read_table(out).to_pylist()


def test_entries_are_rows_with_their_scorer(tmp_path):
    rows = generate(tmp_path, "train.parquet", "--seed", "3")
    assert {row["data_source"] for row in rows} == {"reasoning_gym/chain_sum", "reasoning_gym/gcd"}
    for row in rows:
        extra = row["extra_info"]
        score = gym.get_score_answer_fn(extra["scorer"])
        entry = json.loads(extra["entry"])
        assert score(row["reward_model"]["ground_truth"], entry) == extra["threshold"] == THRESHOLD
        assert score("blah " + row["reward_model"]["ground_truth"], entry) < THRESHOLD  # not binary
        assert row["prompt"][0]["content"].startswith(entry["question"])
        assert row["ability"] == "reasoning"
    assert {json.loads(row["extra_info"]["entry"])["metadata"].get("num_terms", 2) for row in rows} <= {2, 3}


def test_a_seed_decides_everything(tmp_path):
    first, again = (generate(tmp_path, f"{name}.parquet", "--seed", "3") for name in "ab")
    other = generate(tmp_path, "c.parquet", "--seed", "4")
    assert first == again
    assert [row["prompt"] for row in first] != [row["prompt"] for row in other]


def test_training_tasks_exclude_those_of_a_test_file(tmp_path):
    test = tmp_path / "test.parquet"
    common = ["data", "gym", "--task", "chain_sum", "--size", "6", "--seed", "1"]
    assert main([*common, "--split", "test", "--rollouts", "4", "--out", str(test)]) == 0
    assert {row["__rollout_n__"] for row in pq.read_table(test).to_pylist()} == {4}
    assert main([*common, "--size", "9", "--test", str(test), "--out", str(tmp_path / "train.parquet")]) == 0
    report = json.loads((tmp_path / "train.report.json").read_text())
    assert report["sources"]["reasoning_gym/chain_sum"]["dropped"] == {"also in a test file": 6}


def test_tasks_whose_answers_do_not_survive_are_dropped():
    (entry,) = create(GymTask("rearc", {}, 1, 1))
    with pytest.raises(Dropped) as caught:
        read(entry)
    assert caught.value.reason == GOLD and "0.05" in caught.value.detail
    with pytest.raises(Dropped) as caught:
        read({"question": "?", "answer": None, "metadata": {"source_dataset": "graph_color"}})
    assert caught.value.reason == MISSING


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("no_such_task", "chain_sum"),
        ('chain_sum:{"no_such_knob": 1}', "no_such_knob"),
        ('chain_sum:{"min_terms": 9, "max_terms": 2}', "knobs of this task"),
        ("chain_sum:min_terms=2", "knobs as JSON"),
        ('chain_sum:{"seed": 2}', "without size and seed"),
    ],
)
def test_wrong_tasks(task, message):
    with pytest.raises(DaroConfigError, match=message):
        create(parse_task(task, 1, 0))


def test_a_task_twice_is_refused(tmp_path, capsys):
    arguments = ["data", "gym", "--task", "gcd", "--task", "gcd", "--no-test", "--out", str(tmp_path / "x.parquet")]
    assert main(arguments) == 2
    assert "each source once" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--splits", "gcd=test"], ["--revision", "math=main"], ["--local", "math=x.jsonl"]], ids=" ".join
)
def test_options_of_data_sets_from_the_hub_are_refused(tmp_path, capsys, arguments):
    command = ["data", "gym", "--task", "gcd", "--no-test", "--out", str(tmp_path / "gym.parquet")]
    assert main([*command, *arguments]) == 2
    assert "sources of this file" in capsys.readouterr().err


def test_every_character_of_a_generated_problem_counts():
    """Two programs that differ in a full stop, which a problem in words would not."""
    task = replace(source(GymTask("gcd", {}, 1, 0)), read=lambda row: Problem(row["text"], "1"))
    cleaner = Cleaner(frozenset(), lambda answer: None, {})
    keys = {cleaner.clean(task, {"text": text})[1] for text in ("What prints +. here", "What prints + here")}
    assert len(keys) == 2
    known = Cleaner(identities("What prints +. here"), lambda answer: None, {})
    known.clean(task, {"text": "What prints + here"})  # not the test problem
