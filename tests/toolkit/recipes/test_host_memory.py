"""What a run without a GPU takes of the machine's memory."""

import pytest

from daro_verl.toolkit.models.shape import Shape
from daro_verl.toolkit.recipes import host_memory, smoke
from daro_verl.toolkit.recipes.commands import start
from daro_verl.toolkit.recipes.host_memory import HELPERS, PROCESS, host_bytes, host_memory_problems, rank_bytes
from daro_verl.toolkit.recipes.memory import GB
from tests.toolkit.recipes.scripts import CONFIG
from tests.toolkit.recipes.test_arithmetic import JOB, LAYER, SHAPE

SMOLLM2 = Shape(30, 9, 3, 576, 1536, 49152, 8192, tied=True)


def test_a_rank_by_hand():
    """Four ranks, 64 tokens; 2 layers, 4 heads, 224 bytes of activations a token in bfloat16, samples of 32 tokens."""
    parameters = 2 * LAYER + 1600
    numbers = 64 * 2 * (224 / 2 + 2 * 32 * 4)
    expected = (4 + 4 + 12 / 4) * parameters + 4 * numbers + 32 * 64 * 100 + PROCESS
    assert rank_bytes(JOB, SHAPE, width=4) == expected
    assert host_bytes(JOB, SHAPE, width=4, server_width=2) == 4 * (expected + 2 * parameters + PROCESS) + HELPERS


def test_the_measured_job_is_met_and_refused_where_ray_ended_it(dry_run):
    """Two ranks in float32, 1,536 tokens each: 8.3 GB each, and too much in all for 24 GB."""
    arguments = ["data.max_prompt_length=64", "actor_rollout_ref.rollout.max_model_len=88"]
    arguments += ["actor_rollout_ref.actor.ppo_max_token_len_per_gpu=1536"]
    job = dry_run("run_daro_llama8b", *arguments, SMOKE="1", TP="1").sizes
    assert rank_bytes(job, SMOLLM2, width=4) == pytest.approx(8.3e9, rel=0.05)
    needed = host_bytes(job, SMOLLM2, width=4, server_width=4)
    (problem,) = host_memory_problems(needed, memory=24 * GB)
    assert problem.startswith("memory of the machine: got 'about ") and "(an estimate)" in problem
    assert host_memory_problems(needed, memory=32 * GB) == []


def test_a_smoke_run_that_does_not_fit_is_refused_before_it_starts(environment_of, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(host_memory, "_memory", lambda: 4.0 * GB)
    monkeypatch.setattr(smoke, "build", lambda *_: None)
    environment = environment_of(DRY_RUN="0", SMOKE="1", OUTPUT=str(tmp_path / "run"))
    assert start(CONFIG, ["base_model=llama3.1_8b"], environment) == 2
    assert "memory of the machine: got 'about " in capsys.readouterr().err
