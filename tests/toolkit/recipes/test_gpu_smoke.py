"""``GPU_SMOKE=1`` as far as a machine without a GPU shows it: layouts, refusals, the order of its parts, the report."""

import json
from pathlib import Path

import pytest

from daro_verl.errors import DaroConfigError
from daro_verl.toolkit.recipes import gpu_layout, gpu_smoke, smoke, software, tiny_model
from daro_verl.toolkit.recipes.commands import start
from daro_verl.toolkit.recipes.gpu_report import POINTS, Part, covered, report
from daro_verl.toolkit.recipes.setting_rules import KEY
from tests.toolkit.recipes.scripts import CONFIG, SCRIPTS, clean_environment

SMALLEST = "base_model=qwen2.5_math_1.5b"
LLAMA = SCRIPTS[2]


def step(number: int, **changes: float) -> str:
    """A line of verl's file logger, of a step as it should be: two updates each."""
    data = {gpu_smoke.NORM: 1.0, gpu_smoke.KL: 0.001, gpu_smoke.VERSION: 2 * number} | changes
    return json.dumps({"step": number, "data": data}) + "\n"


def attempt(command: list[str]) -> Path:
    """Where verl's file logger would write."""
    return Path(next(word for word in command if "VERL_FILE_LOGGER_PATH=" in word).partition("=")[2].strip("'"))


class Commands:
    """In place of verl and of the evaluation: writes what they would write, and fails where it is told to."""

    def __init__(self, **codes: int) -> None:
        self.codes, self.calls = codes, []

    def __call__(self, command, environment, log: Path) -> int:
        name = ["train", "resume", "evaluate"][len(self.calls)]
        self.calls.append((name, list(command), environment))
        output = log.parent
        log.open("a").write(f"{name} ran\n")
        if name == "train":
            attempt(command).write_text(step(1) + step(2))
            (output / "checkpoints").mkdir()
            (output / "checkpoints" / "latest_checkpointed_iteration.txt").write_text("2")
        elif name == "resume":
            attempt(command).write_text(step(3))
        else:
            (output / "evaluation").mkdir()
            (output / "evaluation" / "report.json").write_text("{}")
        return self.codes.get(name, 0)


@pytest.mark.parametrize(
    ("script", "gpus", "tp", "pp", "dp", "servers"),
    [
        (SCRIPTS[0], 1, 1, 1, 1, 1),
        (SCRIPTS[1], 2, 2, 1, 1, 2),
        (SCRIPTS[2], 4, 2, 1, 2, 2),
        (SCRIPTS[0], 8, 2, 2, 2, 4),
        (SCRIPTS[2], 8, 2, 2, 2, 4),
    ],
)
def test_the_layout_follows_from_the_number_of_gpus(dry_run, script, gpus, tp, pp, dp, servers):
    found = dry_run(script, GPU_SMOKE="1", GPUS=str(gpus))
    sizes, job = found.sizes, found.config.actor_rollout_ref
    assert (sizes.tp, sizes.pp, sizes.dp, sizes.gpus // sizes.rollout_tp) == (tp, pp, dp, servers)
    assert job.actor.megatron.dtype == "bfloat16" and job.actor.megatron.use_remove_padding
    assert not job.actor.megatron.vanilla_mbridge and job.rollout.free_cache_engine
    assert found.config.trainer.device == "cuda"  # nothing of the platform without a GPU
    assert job.actor.megatron.param_offload == (script != SCRIPTS[0])  # the recipe's own


def test_variables_and_arguments_win_over_the_layout(dry_run):
    found = dry_run(LLAMA, f"{KEY['CP']}=2", GPU_SMOKE="1", GPUS="8", TP="1", INFER_BACKEND="sglang")
    assert (found.sizes.tp, found.sizes.pp, found.sizes.cp, found.sizes.dp) == (1, 2, 2, 2)


@pytest.mark.parametrize(
    ("number", "variables", "named"),
    [
        (0, {}, "GPU_SMOKE: got 'no GPU that torch can use', expected one to eight GPUs. Fix: use SMOKE=1"),
        (0, {"GPUS": "2"}, "GPU_SMOKE: got 'no GPU"),
        (3, {}, "GPUS: got 3, expected 1, 2, 4, 8, and no more than the 3 that are here. Fix: set GPUS=2"),
        (2, {"GPUS": "4"}, "GPUS: got 4, expected 1, 2, 4, 8, and no more than the 2 that are here. Fix: set GPUS=2"),
        (2, {"SMOKE": "1"}, "SMOKE, GPU_SMOKE: got '1, 1', expected one of them"),
    ],
)
def test_a_node_that_cannot_is_refused_before_anything_is_made(tmp_path, monkeypatch, capsys, number, variables, named):
    monkeypatch.setattr(gpu_layout, "num_gpus", lambda: number)
    environment = clean_environment(GPU_SMOKE="1", OUTPUT=str(tmp_path / "run"), **variables)
    assert start(CONFIG, [SMALLEST], environment) == 2
    assert capsys.readouterr().err.startswith(named) and list(tmp_path.iterdir()) == []


def run(tmp_path, commands: Commands, **variables: str) -> int:
    environment = clean_environment(GPU_SMOKE="1", OUTPUT=str(tmp_path / "run"), **variables)
    return gpu_smoke.start(CONFIG, [SMALLEST], environment, commands)


@pytest.fixture
def node(monkeypatch, tmp_path):
    """Two GPUs; model, data and packages are taken for present."""
    monkeypatch.setattr(gpu_layout, "num_gpus", lambda: 2)
    monkeypatch.setattr(smoke, "build", lambda *_: None)
    monkeypatch.setattr(software, "missing", lambda *args: [])
    find_files = gpu_smoke.plan.__globals__["find_files"]

    def found(config):
        files = find_files(config)
        files.missing, files.shape = [], tiny_model.shape(config.recipe.model)
        return files

    monkeypatch.setitem(gpu_smoke.plan.__globals__, "find_files", found)


def test_it_trains_resumes_and_evaluates_in_a_folder_of_its_own(node, tmp_path, capsys):
    commands = Commands()
    assert run(tmp_path, commands) == 0
    (_, train, variables), (_, resume, _), (_, evaluate, settings) = commands.calls
    assert "trainer.total_training_steps=2" in train and "trainer.total_training_steps=3" in resume
    assert train[1:3] == ["-m", "verl.trainer.main_ppo"] and "GPU_SMOKE" not in variables
    assert evaluate[0] == "bash" and evaluate[1].endswith("recipes/eval.sh") and settings["LIMIT"] == "2"
    assert settings["DP"] == "2"  # of a node with more GPUs, those of the job
    text = (tmp_path / "run" / gpu_smoke.REPORT).read_text()
    assert (
        "| train |" in text and "| tensor parallelism | run |" in text and "| context parallelism | not run |" in text
    )
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith("GPU_SMOKE passed on 2 GPU(s). Run: training in bfloat16 with Transformer Engine, ")
    assert "Not run: mbridge, weight sync to SGLang, " in line and line.endswith(gpu_smoke.REPORT)
    with pytest.raises(DaroConfigError, match="OUTPUT: got '.* with a checkpoint', expected a new folder"):
        run(tmp_path, Commands())


def test_a_second_try_in_the_same_folder(node, tmp_path):
    """The first one died before its first checkpoint, and left a log."""
    (tmp_path / "run" / "attempts").mkdir(parents=True)
    (tmp_path / "run" / "attempts" / "0001.jsonl").touch()
    assert run(tmp_path, Commands()) == 0


@pytest.mark.parametrize(("failing", "num_calls"), [("train", 1), ("resume", 2), ("evaluate", 3)])
def test_it_stops_at_the_first_part_that_fails_and_reports_it(node, tmp_path, capsys, failing, num_calls):
    commands = Commands(**{failing: 7})
    assert run(tmp_path, commands) == 1 and len(commands.calls) == num_calls
    assert f"GPU_SMOKE FAILED in {failing} (exit code 7)" in capsys.readouterr().out
    text = (tmp_path / "run" / gpu_smoke.REPORT).read_text()
    assert f"{failing} ran" in text  # the end of the log, to attach
    assert ("| resume | run |" in text) == (failing == "evaluate")


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        (step(1) + step(2), []),
        (step(1), ["steps [1], expected [1, 2]"]),
        ("", ["steps [], expected [1, 2]"]),
        (
            step(1) + step(2, **{gpu_smoke.VERSION: 2}),
            [f"step 2: {gpu_smoke.VERSION} 2, expected 4, two updates a step"],
        ),
        (step(1) + step(2, **{gpu_smoke.KL: -0.3}), [f"step 2: {gpu_smoke.KL} -0.3, expected at most 0.05"]),
        (
            step(1) + step(2, **{gpu_smoke.NORM: float("nan")}),
            [f"step 2: {gpu_smoke.NORM} nan, expected a finite number"],
        ),
    ],
)
def test_a_command_that_ends_well_may_still_have_failed(tmp_path, lines, wrong):
    (tmp_path / "log.jsonl").write_text(lines)
    assert gpu_smoke.wrong_metrics(tmp_path / "log.jsonl", [1, 2]) == wrong


def test_only_what_passed_counts_as_run(dry_run):
    found = dry_run(LLAMA, GPU_SMOKE="1", GPUS="8")
    parts = [Part("train", ["train"], 100.0, []), Part("resume", ["resume"], 9.0, ["exit code 1"])]
    run, not_run = covered(found.config, found.sizes, parts)
    assert {"pipeline parallelism", "a server on several GPUs", "offload", "recomputation"} <= set(run)
    assert {"resume", "evaluation", "context parallelism"} <= set(not_run)
    assert sorted(run + not_run) == sorted(point.what for point in POINTS)
    assert "TP 2 x PP 2 x CP 1 x DP 2, 109 s." in report(found.config, found.sizes, parts, Path("no.log"))


def test_what_a_command_prints_is_shown_and_kept(tmp_path, capsys):
    log = tmp_path / "log"
    assert gpu_smoke.run_and_log(["bash", "-c", "echo one; echo two >&2; exit 3"], {"PATH": "/bin:/usr/bin"}, log) == 3
    assert log.read_text() == capsys.readouterr().out == "one\ntwo\n"
