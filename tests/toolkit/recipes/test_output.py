"""Whose directory it is: nothing that changes the training may change over a run that is there."""

import copy
import json
import re
import shutil

import pytest
from omegaconf import OmegaConf

from daro_verl.errors import DaroConfigError
from daro_verl.toolkit.recipes import output
from daro_verl.toolkit.recipes.setting_rules import KEY
from tests.toolkit.recipes.scripts import CONFIG, SCRIPTS, settings_of

SAVING = "trainer.save_freq=5"


@pytest.fixture
def start(dry_run, tmp_path):
    """``start(*arguments, NAME=value)``: the checks of a start in the same folder."""

    def start(*arguments: str, **variables: str):
        return dry_run(SCRIPTS[0], *arguments, **{"OUTPUT": str(tmp_path), **variables})

    return start


@pytest.fixture(scope="module")
def first_start(dry_run, tmp_path_factory):
    """The configuration with which a run was started, in a folder of its own."""
    config = dry_run(SCRIPTS[0], SAVING, OUTPUT=str(tmp_path_factory.mktemp("started"))).config
    output.claim(config)
    return config


@pytest.fixture
def run(first_start, tmp_path):
    """A run that was started and has a checkpoint."""
    shutil.copytree(first_start.recipe.output, tmp_path, dirs_exist_ok=True)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / output.LATEST).write_text("20")
    return tmp_path


def test_every_setting_of_a_recipe_changes_the_training_or_may_change(start):
    keys = {key for file in (CONFIG / "daro.yaml", CONFIG / "method/dapo.yaml") for key in settings_of(file)}
    keys |= set(settings_of(CONFIG / "base_model/llama3.1_8b.yaml")) - {"recipe.published"}
    identity = output.identity(start(METHOD="dapo").config)
    assert {key for key in keys if key not in identity and not key.startswith("trainer.")} - {"recipe.published"} == {
        KEY[name] for name in (
            "INFER_BACKEND", "VAL_FILES", "GPU_MEMORY_GB", "TP", "PP", "CP", "ROLLOUT_TP", "OFFLOAD",
            "OFFLOAD_OPTIMIZER", "BRIDGE", "RECOMPUTE", "MAX_TOKENS", "ROLLOUT_MEMORY", "OUTPUT", "VAL_TEMPERATURE",
            "VAL_TOP_P", "VAL_ROLLOUTS",
        )
    } | {
        "algorithm.daro.metrics",
        "actor_rollout_ref.rollout.val_kwargs.do_sample",
        "actor_rollout_ref.actor.megatron.override_transformer_config.recompute_method",
        "actor_rollout_ref.actor.megatron.override_transformer_config.recompute_num_layers",
        "ray_kwargs.ray_init.runtime_env.env_vars.CUDA_DEVICE_MAX_CONNECTIONS",
    }  # fmt: skip
    assert not {key for key in identity if key.startswith("trainer.")}


def test_hardware_length_and_what_is_watched_may_change(run, start):
    start(f"{KEY['OFFLOAD']}=true", "trainer.test_freq=5", NNODES="2", RAY_ADDRESS="auto", TP="2", STEPS="900",
          INFER_BACKEND="sglang")  # fmt: skip
    start("trainer.test_freq=7", "actor_rollout_ref.actor.megatron.tensor_model_parallel_size=2", "hydra.verbose=false")
    start("data.train_batch_size=128", "actor_rollout_ref.rollout.val_kwargs.n=4")  # the same, and what is watched
    start("actor_rollout_ref.nccl_timeout=3600", "actor_rollout_ref.rollout.prometheus.enable=true",
          "actor_rollout_ref.rollout.enforce_eager=true", "actor_rollout_ref.rollout.agent.num_workers=4",
          "actor_rollout_ref.rollout.checkpoint_engine.update_weights_bucket_megabytes=4096",
          "++actor_rollout_ref.actor.megatron.override_transformer_config.attention_backend=fused")  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "extra", "got", "expected"),
    [
        ({"METHOD": "grpo"}, (), "recipe.method daro, algorithm.daro.weighting None",
         "recipe.method grpo, algorithm.daro.weighting grpo"),
        ({"SEED": "43"}, ("+algorithm.daro.weighting=paper",),
         "recipe.seed 42, algorithm.daro.weighting None", "recipe.seed 43, algorithm.daro.weighting paper"),
    ],
)  # fmt: skip
def test_another_run_is_refused(run, start, variables, extra, got, expected):
    with pytest.raises(DaroConfigError) as error:
        start(*extra, **variables)
    text = str(error.value).replace("\\", "").replace('"', "'")
    assert f"of a run with {got}" in text and f"expected one with {expected}" in text
    assert ". Fix: choose another OUTPUT" in text


@pytest.mark.parametrize(
    ("key", "got", "asked"),
    [
        (KEY["LR"], 1e-06, 2e-06),
        (KEY["MODEL"], "", "/other"),
        (KEY["TRAIN_FILES"], "[", ["/o.parquet"]),
        ("recipe.method", "daro", "daro_paper"),
        ("data.train_batch_size", 128, 256),
        ("data.shuffle", True, False),
    ],
)
def test_another_setting_is_another_run(first_start, key, got, asked):
    other = copy.deepcopy(first_start)
    OmegaConf.update(other, key, asked)
    (problem,) = output.output_problems(other)
    assert f"of a run with {key} {got}" in problem and f"expected one with {key} {asked}. Fix: " in problem


def test_of_many_differences_the_first_are_named(run, start):
    with pytest.raises(DaroConfigError, match=r"recipe.method dapo, .* and \d+ more. Fix: "):
        start(METHOD="dapo")


def test_a_start_from_the_beginning_wants_a_directory_without_checkpoints(run, start):
    """Else the next start would resume the old one: verl resumes what ``latest_checkpointed_iteration.txt`` names."""
    named = "trainer.resume_mode: got 'disable over a checkpoint of step 20 in .*Fix: set trainer.resume_mode=auto"
    with pytest.raises(DaroConfigError, match=named):
        start("trainer.resume_mode=disable")
    with pytest.raises(DaroConfigError, match=r"trainer.resume_mode: got(.|\n)*recipe.method grpo"):
        start("trainer.resume_mode=disable", METHOD="grpo")
    (run / "checkpoints" / output.LATEST).unlink()
    start("trainer.resume_mode=disable")


def test_checkpoints_of_nobody_are_refused(run, start):
    (run / output.RUN).unlink()
    with pytest.raises(DaroConfigError, match=re.escape("OUTPUT: got 'checkpoints without run.json")):
        start()


def test_another_place_for_checkpoints_is_refused(start, tmp_path):
    with pytest.raises(DaroConfigError, match="trainer.default_local_dir: got 'elsewhere'.*Fix: set OUTPUT"):
        start("trainer.default_local_dir=elsewhere")


def saved(run, tp, pp):
    """The checkpoint of step 20, with the layout that verl writes beside its weights."""
    actor = run / "checkpoints" / "global_step_20" / "actor"
    for part in ("model", "optimizer"):
        (actor / part).mkdir(parents=True)
    layout = {"tensor_model_parallel_size": tp, "pipeline_model_parallel_size": pp}
    (actor / output.TRANSFORMER).write_text(json.dumps(layout))
    return actor


def test_another_layout_than_the_checkpoints_is_refused(run, start):
    saved(run, tp=2, pp=1)
    with pytest.raises(
        DaroConfigError, match="TP, PP: got 'TP 1, PP 1', expected TP 2, PP 1, because no other.*Fix: set TP=2"
    ):
        start(SAVING)
    with pytest.raises(DaroConfigError, match="TP, PP: got 'TP 2, PP 2'"):
        start(SAVING, TP="2", PP="2")
    start(SAVING, TP="2", GPUS="4")  # fewer data-parallel ranks


def test_a_checkpoint_that_any_layout_loads_allows_another(start, tmp_path):
    actor = "actor_rollout_ref.actor"
    settings = [
        f"{actor}.megatron.dist_ckpt_optim_fully_reshardable=true",
        f"{actor}.checkpoint.load_contents=[model,optimizer]",
    ]
    output.claim(start(*settings).config)
    saved(tmp_path, tp=2, pp=1)
    (tmp_path / "checkpoints" / output.LATEST).write_text("20")
    start(*settings)
    with pytest.raises(DaroConfigError, match="TP, PP: got"):  # the ranks' random states are of TP 2
        start(settings[0])


def test_a_checkpoint_without_its_optimizer_is_refused(run, start):
    shutil.rmtree(saved(run, tp=1, pp=1) / "optimizer")
    with pytest.raises(DaroConfigError, match="OUTPUT: got '.*global_step_20 without its optimizer'"):
        start(SAVING)


def test_a_resume_does_not_validate_first_again(start, tmp_path):
    assert start().config.trainer.val_before_train is True
    (tmp_path / "checkpoints").mkdir()
    output.claim(start().config)
    (tmp_path / "checkpoints" / output.LATEST).write_text("20")
    assert start().config.trainer.val_before_train is False
    assert start("trainer.val_before_train=true").config.trainer.val_before_train is True


def test_a_relative_output_is_refused_in_a_folder_that_ray_removes(start, tmp_path, monkeypatch):
    place = tmp_path / "runtime_resources" / "working_dir_files" / "_ray_pkg_1"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    with pytest.raises(DaroConfigError, match="OUTPUT: got 'outputs/a', expected an absolute path"):
        start(OUTPUT="outputs/a")
    start()
