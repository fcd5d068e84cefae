"""The job's command, its progress and its summary, on files as verl writes them; no Ray."""

import dataclasses
import json
import os
import sys
import time

import psutil
import pytest
import torch

from daro_verl.errors import DaroDataError
from daro_verl.workers import saved_state
from daro_verl.workers.difficulty_weights import DifficultyWeights
from examples.quickstart import __main__ as command_line
from examples.quickstart.__main__ import is_complete, parse, prepare
from examples.quickstart.agreement import describe_agreement
from examples.quickstart.history import per_bin, read_attempts, read_lines
from examples.quickstart.job import Job
from examples.quickstart.process_tree import ProcessTree
from examples.quickstart.progress import StepLines, follow
from examples.quickstart.summary import summarise
from examples.quickstart.sums import TASK
from examples.quickstart.task import Start

LEVELS = {"level 2": 2, "level 3": 3, "level 4": 4, "level 5": 5}


def validation(rate: float) -> dict:
    return {f"val-core/{TASK.sources[name]}/acc/mean@4": rate - 0.05 * level for name, level in LEVELS.items()}


def write_answers(job: Job, step: int, right: list[int]) -> None:
    """Two problems a level with four responses each, of which so many of the first problem's are right."""
    rows = []
    for name, num_right in zip(LEVELS, right, strict=True):
        for problem, number in (("1+2=", num_right), ("3+4=", 0)):
            for i in range(4):
                score = float(i < number)
                own = {"input": f"{name} {problem}", "output": f"{step} {i}", "score": score}
                rows.append(own | {"source": TASK.sources[name]})
    job.answers.mkdir(parents=True, exist_ok=True)
    (job.answers / f"{step}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def training(step: int, daro: bool = True) -> dict:
    metrics = {"training/global_step": step, "critic/score/mean": 0.3 + 0.01 * step, "response_length/mean": 21.25}
    metrics |= {"timing_s/step": 4.0, "actor/entropy": 0.5, "actor/grad_norm": 0.9}
    if daro:
        metrics |= {f"actor/daro/weight/{k}of8": 1 + 0.01 * k * step for k in range(1, 8)}
        metrics |= {f"actor/daro/response_share/{k}of8": 1 / 9 for k in range(9)}
    return metrics


def write_attempt(job: Job, records: dict[int, dict], tail: str = "") -> None:
    attempt = job.next_attempt()
    lines = [json.dumps({"step": step, "data": data}) + "\n" for step, data in records.items()]
    attempt.with_suffix(".jsonl").write_text("".join(lines) + tail)
    attempt.with_suffix(".log").write_text("verl says much\n")
    attempt.with_suffix(".cost.json").write_text(json.dumps({"seconds": 90.0, "peak_memory": 3 * 2**30}))


@pytest.fixture
def job(tmp_path) -> Job:
    data = {split: tmp_path / f"{split}.parquet" for split in ("train", "test")}
    start = Start(tmp_path / "model", data, [])
    return Job(TASK, start, "daro", 4, tmp_path / "daro", ("trainer.seed=7",))


@pytest.fixture
def resumed(job) -> Job:
    """Interrupted in step 4, after the checkpoint of step 2; then run to the end."""
    write_attempt(job, {0: validation(0.6), 1: training(1), 2: training(2), 3: training(3)}, tail='{"step":4,"da')
    write_attempt(job, {3: training(3), 4: training(4) | validation(0.9)})
    write_answers(job, 0, [0, 0, 0, 1])
    write_answers(job, 4, [4, 2, 0, 1])
    return job


def test_a_half_written_last_line_is_left_out():
    assert read_lines('{"step": 1, "data": {}}\n{"step": 2, "da') == [{"step": 1, "data": {}}]
    assert read_lines('{"step": 1') == []


def test_attempts_form_one_history(resumed):
    history = read_attempts(resumed.attempts)
    assert list(history) == [0, 1, 2, 3, 4]
    assert is_complete(resumed)


def test_a_run_without_its_last_validation_is_not_complete(job):
    write_attempt(job, {0: validation(0.6), 1: training(1)})
    assert not is_complete(job)
    with pytest.raises(ValueError, match=r"got validations at steps \[0\], expected one after training"):
        summarise(job)


def test_bins_are_read_by_number():
    assert per_bin({"a/weight/2of8": 2.0, "a/weight/1of8": 1.0, "a/loss/1of8": 9.0}, "a/weight") == {1: 1.0, 2: 2.0}


def test_step_line():
    lines = StepLines(60, TASK.sources)
    line = lines.line(10, training(10))
    assert line.startswith("step  10/60  pass rate 0.40  length 21.2  3:20 left")
    assert line.endswith("w 1.10 1.20 1.30 1.40 1.50 1.60 1.70") and len(line) <= 95
    assert " w " not in lines.line(11, training(11, daro=False))
    assert lines.line(0, validation(0.6)) == (
        "step   0/60  held-out pass rate: level 2 0.50, level 3 0.45, level 4 0.40, level 5 0.35"
    )


def test_follow_shows_each_record_once_and_returns_the_status(tmp_path):
    file = tmp_path / "metrics.jsonl"
    text = "".join(json.dumps({"step": step, "data": training(step)}) + "\n" for step in (1, 2))
    command = [sys.executable, "-c", f"open({str(file)!r}, 'w').write({text!r}); raise SystemExit(3)"]
    shown = []
    tree = ProcessTree(command, os.environ, tmp_path / "log", tmp_path)
    assert follow(tree, file, StepLines(2, TASK.sources), show=shown.append) == 3
    assert [line[:10] for line in shown] == ["step   1/2", "step   2/2"]


def test_stop_ends_the_whole_tree(tmp_path):
    child = "import time; time.sleep(600)"
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}]).wait()"
    tree = ProcessTree([sys.executable, "-c", parent], os.environ, tmp_path / "log", tmp_path)
    while len(members := psutil.Process(tree._process.pid).children(recursive=True)) < 1:
        time.sleep(0.05)
    tree.stop(patience=2)
    _, alive = psutil.wait_procs(members, timeout=5)
    assert not alive
    assert tree.peak_memory > 0


def test_summary(resumed):
    weights = DifficultyWeights(8, {"weighting": "paper", "weight_init": 2.0})
    saved = {**weights.state_dict(), "version": 8, "num_ranks": 2}
    saved_state.begin(resumed.checkpoints / "global_step_4" / "actor", saved)
    saved_state.finish(resumed.checkpoints / "global_step_4" / "actor")
    summary = summarise(resumed)
    text = summary.text()
    # Level 2: (4/4 + 0/4) / 2 = 0.5; between 1 and 0 the standard error is (1 / sqrt 2) / sqrt 2 = 0.5.
    assert "level 2             0.000 +- 0.000  0.500 +- 0.500  +0.500 +- 0.500" in text
    # Level 5: (1/4 + 0) / 2 before and after: nothing changed for any problem.
    assert "level 5             0.125 +- 0.125  0.125 +- 0.125  +0.000 +- 0.000" in text
    # All: (1 + 0.5 + 0.25) / 8 = 0.219 after, 0.25 / 8 = 0.031 before.
    assert "all                 0.031 +- 0.031  0.219 +- 0.129  +0.188 +- 0.132" in text
    assert "  level 2 1+2=\n    before: 0 0\n    after:  4 0\n" in text
    # Of eight problems with four answers: one all right, one 2 of 4, one 1 of 4; before, one 1 of 4.
    assert "held-out problems with 0 .. 4 answers right; " in text
    assert "  before     7    1    0    0    0   3, 3\n" in text
    assert "  after      5    1    1    0    1   3, 3\n" in text
    assert "3.0 minutes of RL, peak memory 3.0 GiB" in text
    assert summary.picture.stat().st_size > 10_000
    assert "after 8 updates: 2.00, 2.00, 2.00, 2.00, 2.00, 2.00, 2.00; equal on all 2 ranks" in text


def test_summary_without_weights(job):
    write_attempt(job, {0: validation(0.6), 4: training(4, daro=False) | validation(0.5)})
    write_answers(job, 4, [1, 1, 1, 1])
    summary = summarise(dataclasses.replace(job, method="grpo"))
    assert "all                        not run  0.125 +- 0.047          not run" in summary.text()
    assert "difficulty weights" not in summary.text()


def test_a_resumed_job_does_not_measure_its_start_again(job):
    assert "trainer.val_before_train=True" in job.command()
    job.checkpoints.mkdir(parents=True)
    (job.checkpoints / "latest_checkpointed_iteration.txt").write_text("2")
    assert "trainer.val_before_train=False" in job.command()
    # The last checkpoint is there, its validation is not.
    (job.checkpoints / "latest_checkpointed_iteration.txt").write_text("4")
    assert "trainer.val_before_train=True" in job.command()


def test_the_users_overrides_come_last(job):
    assert job.command()[-1] == "trainer.seed=7"
    assert "algorithm.adv_estimator=daro" in job.command()


def test_attempts_do_not_share_files(resumed):
    assert resumed.next_attempt().name == "0003"


def test_vllm_serves_unless_sglang_is_asked_for(job):
    assert "actor_rollout_ref.rollout.name=vllm" in job.command()
    command = dataclasses.replace(job, rollout="sglang").command()
    assert "actor_rollout_ref.rollout.name=sglang" in command
    assert "++actor_rollout_ref.rollout.engine_kwargs.sglang.device=cpu" in command
    assert "++actor_rollout_ref.rollout.engine_kwargs.sglang.enable_metrics=True" in command


def test_an_engine_that_is_unknown_or_missing_is_refused(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        parse(["--rollout", "vlm"])
    assert "--rollout: got 'vlm', expected one of ('vllm', 'sglang')" in capsys.readouterr().err
    monkeypatch.setenv("ROLLOUT", "sglang")
    monkeypatch.setattr("examples.quickstart.__main__.find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        parse([])
    assert "got 'sglang', expected an engine that is installed here. Run `ROLLOUT=sglang" in capsys.readouterr().err


def test_arguments(monkeypatch, capsys):
    monkeypatch.delenv("ROLLOUT", raising=False)
    assert (parse([]).method, parse([]).rollout) == ("daro", "vllm")
    monkeypatch.setenv("GRPO", "1")
    arguments = parse(["--smoke", "a.b=1", "--steps", "3", "c=2"])
    assert (arguments.method, arguments.steps, arguments.overrides) == ("grpo", 3, ["a.b=1", "c=2"])
    with pytest.raises(SystemExit):
        parse(["lr"])
    assert "got 'lr', expected key=value" in capsys.readouterr().err


def test_the_log_says_how_far_training_and_rollout_agree():
    label, theory = "actor/daro/loss/3of8", "actor/daro/loss_on_policy/3of8"
    steps = {
        1: {"actor/ppo_kl": 3e-4, "training/rollout_actor_probs_pearson_corr": 0.9996, label: 0.25, theory: 0.24},
        2: {"actor/ppo_kl": 1e-4, "training/rollout_actor_probs_pearson_corr": 0.9999, label: -0.1, theory: -0.1},
    }
    assert describe_agreement(steps) == [
        "rollout and training, same weights: KL 2.0e-04, correlation of probabilities at least 0.99960",
        "Theorem 1: L_k is what lengths and rewards say within 1.0e-02 (largest L_k 0.250)",
    ]
    assert describe_agreement({1: {}}) == []


def fake_tasks(monkeypatch, tmp_path):
    """The default model is gone; the other one is there."""

    def gone(output, smoke):
        raise DaroDataError("the package", got="nothing", expected="a model", fix="see to it")

    def there(output, smoke):
        return Start(output / "model", {}, ["made here"])

    tasks = {"smollm2": dataclasses.replace(TASK, prepare=gone), "tiny": dataclasses.replace(TASK, prepare=there)}
    monkeypatch.setattr(command_line, "TASKS", tasks)
    monkeypatch.setattr(command_line, "REPOSITORY", tmp_path)
    monkeypatch.delenv("MODEL", raising=False)


def test_without_its_model_the_quickstart_says_so_and_goes_on_with_the_toy(monkeypatch, tmp_path, capsys):
    fake_tasks(monkeypatch, tmp_path)
    assert prepare(parse(["--smoke"])).directory == tmp_path / "outputs" / "quickstart-tiny-smoke" / "daro"
    shown = capsys.readouterr()
    assert "the package: got 'nothing', expected a model" in shown.err and "Going on with MODEL=tiny" in shown.err
    assert "made here" in shown.out


@pytest.mark.parametrize("arguments", [["--model", "smollm2"], ["--output", "somewhere"]])
def test_what_was_asked_for_is_not_replaced(monkeypatch, tmp_path, arguments):
    fake_tasks(monkeypatch, tmp_path)
    with pytest.raises(DaroDataError):
        prepare(parse(arguments))


def test_a_kill_while_verl_wrote_its_tracker(tmp_path):
    """verl empties the file, then writes it. The checkpoint that it would have named is complete."""
    job = Job(TASK, Start(tmp_path, {}, []), "daro", 4, tmp_path)
    actor = job.checkpoints / "global_step_2" / "actor"
    actor.mkdir(parents=True)
    saved_state.begin(str(actor), DifficultyWeights(8).state_dict() | {"global_step": 2, "num_ranks": 1})
    saved_state.finish(str(actor))
    torch.save({}, actor.parent / "data.pt")
    (job.checkpoints / "latest_checkpointed_iteration.txt").touch()
    assert job.checkpointed_step() == 2
