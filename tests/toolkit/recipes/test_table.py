"""``paper_table.sh`` and ``eval.sh`` up to where Python begins: what they start, in which order, and when they stop."""

import json
import os
import subprocess
import sys

import pytest

from tests.toolkit.recipes.scripts import RECIPES, clean_environment

# Stands in for Python: keeps its arguments and variables, and fails where it is told to.
STUB = f"""#!{sys.executable}
import json, os, sys
variables = {{name: os.environ.get(name) for name in ("METHOD", "OUTPUT", "STEPS", "SEED", "TP")}}
with open(os.environ["CALLS"], "a") as calls:
    print(json.dumps([sys.argv[1:], variables]), file=calls)
sys.exit(3 if variables["METHOD"] == os.environ.get("FAIL", "nothing") else 0)
"""
METHODS = ["grpo", "daro", "daro_paper", "dapo", "dr_grpo", "lipo"]


@pytest.fixture
def run(tmp_path):
    """``run(script, *arguments, NAME=value)``: exit code, and the calls of Python."""
    stub = tmp_path / "python"
    stub.write_text(STUB)
    stub.chmod(0o755)

    def run(script: str, *arguments: str, **environment: str) -> tuple[int, list]:
        calls = tmp_path / "calls"
        calls.write_text("")
        env = clean_environment(PYTHON=str(stub), CALLS=str(calls), **environment)
        done = subprocess.run(["bash", RECIPES / script, *arguments], env=env, cwd=tmp_path, capture_output=True)
        return done.returncode, [json.loads(line) for line in calls.read_text().splitlines()]

    return run


def test_each_model_is_trained_and_evaluated_with_each_method(run):
    code, calls = run("paper_table.sh")
    commands = [arguments[2] for arguments, _ in calls]
    assert all(arguments[:2] == ["-m", "daro_verl.cli"] for arguments, _ in calls)
    one_model = ["recipe", "evaluate"] * 6 + ["compare", "report"]
    assert code == 0 and commands == ["table-disk"] + one_model * 3
    assert calls[0][0][-3:] == ["qwen2.5_math_1.5b", "qwen2.5_math_7b", "llama3.1_8b"]
    there = [value for option, value in zip(calls[0][0], calls[0][0][1:], strict=False) if option == "--run"]
    assert there == ["qwen2.5-math-1.5b-*-seed42", "qwen2.5-math-7b-*-seed42", "llama-3.1-8b-*-seed42"]
    reports = [arguments[-1] for arguments, _ in calls if arguments[2] == "report"]
    assert len(set(reports)) == 3 and reports[-1] == "outputs/evaluation/llama-3.1-8b-seed42-report"
    trained = [variables for arguments, variables in calls if arguments[2] == "recipe"]
    assert [variables["METHOD"] for variables in trained] == METHODS * 3
    assert trained[-1]["OUTPUT"] == "outputs/llama-3.1-8b-lipo-seed42" and trained[-1]["STEPS"] == "500"
    evaluation = calls[-3][0]  # of the same run: this very step, into a folder of its own
    assert evaluation[2:4] == ["evaluate", "outputs/llama-3.1-8b-lipo-seed42/checkpoints/global_step_500"]
    options = dict(zip(evaluation[4::2], evaluation[5::2], strict=True))
    assert options["--out"] == "outputs/evaluation/llama-3.1-8b-lipo-seed42-global_step_500"
    assert (options["--response-tokens"], options["--data"]) == ("3072", "data/plain/test.parquet")
    compared = calls[-2][0]
    assert [item.partition("=")[0] for item in compared[3:9]] == METHODS and compared[8].endswith(options["--out"])


def test_variables_and_arguments_of_the_training_do_not_change_the_evaluation(run):
    _, calls = run("paper_table.sh", "trainer.save_freq=50", "qwen2.5_math_1.5b", SEED="43", TP="4", TEMPERATURE="0.9")
    (disk, _), (trained, training), (evaluation, _) = calls[:3]
    assert disk[-2:] == ["qwen2.5_math_1.5b", "trainer.save_freq=50"]
    assert (training["SEED"], training["TP"]) == ("43", "4")
    assert trained[-2:] == ["base_model=qwen2.5_math_1.5b", "trainer.save_freq=50"]
    options = dict(zip(evaluation[4::2], evaluation[5::2], strict=True))
    assert (options["--seed"], options["--temperature"], options["--tp"]) == ("0", "0.6", "1")
    assert "trainer.save_freq=50" not in evaluation


def test_a_command_that_fails_ends_the_table(run):
    code, calls = run("paper_table.sh", FAIL="daro")
    assert code == 3 and [variables["METHOD"] for _, variables in calls] == [None, "grpo", None, "daro"]
    assert run("paper_table.sh", "llama70b") == (2, [])


def test_a_finished_training_is_not_started_again(run, tmp_path):
    folder = tmp_path / "outputs" / "llama-3.1-8b-grpo-seed42" / "checkpoints"
    folder.mkdir(parents=True)
    for step, trains in (("480", True), ("500", False)):
        (folder / "latest_checkpointed_iteration.txt").write_text(step)
        _, calls = run("paper_table.sh", "llama8b")
        assert ("grpo" in [variables["METHOD"] for _, variables in calls]) == trains


def test_a_finished_run_keeps_the_weights_of_its_last_step(run, tmp_path):
    """Its optimizer is 12 of 14 bytes a parameter. A run that goes beyond the table's steps is left alone."""
    finished, longer = (
        tmp_path / "outputs" / f"llama-3.1-8b-{method}-seed42" / "checkpoints" for method in METHODS[:2]
    )
    for folder, last in ((finished, 500), (longer, 600)):
        for step in (480, 500, last):
            for part in ("optimizer/dist_ckpt", "model/huggingface"):
                (folder / f"global_step_{step}" / "actor" / part).mkdir(parents=True, exist_ok=True)
        (folder / "latest_checkpointed_iteration.txt").write_text(str(last))
    assert run("paper_table.sh", "llama8b")[0] == 0
    kept = sorted(
        str(path.relative_to(finished)) for path in finished.rglob("*") if path.name in ("model", "optimizer")
    )
    assert kept == ["global_step_500/actor/model"]
    assert len(list(longer.glob("global_step_*/actor/optimizer"))) == 3


@pytest.mark.parametrize(
    ("checkpoint", "name"),
    [
        ("outputs/one/checkpoints/global_step_500", "one-global_step_500"),
        ("outputs/one/checkpoints/global_step_500/actor/", "one-global_step_500"),
        ("outputs/one/checkpoints", "one-global_step_520"),  # its latest
        ("elsewhere/one/global_step_500", "one-global_step_500"),
        ("models/qwen2.5-math-7b-16k", "models-qwen2.5-math-7b-16k"),
        ("Qwen/Qwen2.5-Math-7B", "Qwen-Qwen2.5-Math-7B"),  # of the hub
    ],
)
def test_results_of_a_checkpoint_are_named_by_its_run(run, tmp_path, checkpoint, name):
    if not checkpoint.startswith("Qwen/"):
        os.makedirs(tmp_path / checkpoint)
    if checkpoint.endswith("checkpoints"):
        (tmp_path / checkpoint / "latest_checkpointed_iteration.txt").write_text("520")
    (arguments, _), *_ = run("eval.sh", checkpoint)[1]
    assert arguments[arguments.index("--out") + 1] == f"outputs/evaluation/{name}"
