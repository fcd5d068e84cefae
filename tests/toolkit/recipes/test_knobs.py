"""Every knob: documented where it is set, and refused by its name."""

import re

import pytest

from daro_verl.errors import DaroError
from daro_verl.toolkit.recipes.__main__ import main
from daro_verl.toolkit.recipes.knobs import KNOBS, read_knobs
from tests.toolkit.recipes.scripts import SCRIPTS, knob_comments

WRONG = {
    "METHOD": "ppo", "INFER_BACKEND": "hf", "MODEL": " ", "TRAIN_FILES": "data/train.csv", "VAL_FILES": "test.json",
    "MAX_PROMPT": "0", "MAX_RESPONSE": "8k", "OVERLONG_LEN": "-1", "OVERLONG_PENALTY": "2", "NNODES": "0",
    "GPUS": "eight",
    "GPU_MEMORY_GB": "0", "RAY_ADDRESS": "head node", "TP": "0", "PP": "1.5", "CP": "0", "ROLLOUT_TP": "x",
    "OFFLOAD": "yes", "BRIDGE": "none", "RECOMPUTE": "1", "MAX_TOKENS": "0", "ROLLOUT_MEMORY": "60", "BATCH": "-128",
    "MINI_BATCH": "0", "ROLLOUTS": "1", "TEMPERATURE": "0", "LR": "0", "WARMUP_STEPS": "-1", "WEIGHT_DECAY": "-0.1",
    "CLIP_GRAD": "0", "ENTROPY_COEFF": "nan", "CLIP_LOW": "0", "CLIP_HIGH": "28", "CLIP_C": "1", "STEPS": "0",
    "SAVE_EVERY": "never", "KEEP": "0", "RESUME": "yes", "TEST_EVERY": "0", "VAL_FIRST": "true", "VAL_TEMPERATURE": "0",
    "VAL_TOP_P": "1.1", "VAL_ROLLOUTS": "0", "SEED": "-1", "LOGGER": "file,paper", "PROJECT": "a b", "NAME": "a/b",
    "OUTPUT": "  ", "DRY_RUN": "2", "SMOKE": "on",
}  # fmt: skip


def test_there_is_a_wrong_value_for_every_knob():
    assert set(WRONG) == set(KNOBS)


@pytest.mark.parametrize("name", KNOBS)
@pytest.mark.parametrize("dry_run", ["0", "1"])
def test_a_wrong_value_is_refused_by_name(knobs_of, capsys, name, dry_run):
    environment = {**knobs_of(SCRIPTS[0]), "DRY_RUN": dry_run, name: WRONG[name]}
    assert main([], environment) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{name}: got {WRONG[name]!r}, expected ") and " Fix: " in line


def test_all_wrong_knobs_are_reported_at_once(knobs_of):
    with pytest.raises(DaroError) as error:
        read_knobs({**knobs_of(SCRIPTS[0]), **WRONG})
    assert [line.split(":")[0] for line in str(error.value).splitlines()] == list(KNOBS)


@pytest.mark.parametrize(
    ("name", "knob"),
    [("MINIBATCH", "MINI_BATCH"), ("BACKEND", "INFER_BACKEND"), ("DRYRUN", "DRY_RUN"), ("METHD", "METHOD"),
     ("ROLLOUT", "INFER_BACKEND"), ("TEMPRATURE", "TEMPERATURE"), ("LEARNING_RATE", "LR")],
)  # fmt: skip
def test_a_misspelled_knob_is_refused(knobs_of, capsys, name, knob):
    assert main([], {**knobs_of(SCRIPTS[0]), name: "32"}) == 2
    assert capsys.readouterr().err.startswith(f"{name}: got '32', expected a knob's name: {knob}?. Fix: set {knob}")


OTHERS = """PATH HOME SHELL USER LOGNAME HOSTNAME LANG TERM PWD OLDPWD SHLVL TMP TMPDIR TEMP EDITOR PAGER MAIL PYTHON
PYTHONPATH VIRTUAL_ENV CONDA_PREFIX CUDA_HOME CUDA_VISIBLE_DEVICES LD_LIBRARY_PATH MASTER_ADDR MASTER_PORT WORLD_SIZE
RANK LOCAL_RANK NODE_RANK NPROC_PER_NODE SLURM_NNODES SLURM_NODEID SLURM_GPUS SLURM_JOB_NAME SLURM_GPUS_ON_NODE
NCCL_DEBUG OMP_NUM_THREADS HF_HOME HF_TOKEN WANDB_API_KEY WANDB_PROJECT WANDB_NAME PROJECT_ID PROJECT_DIR MODEL_DIR
MODEL_ID MODEL_NAME OUTPUT_DIR RAY_HEAD_ADDRESS RAY_GCS_ADDRESS RAY_TMPDIR VERL_PLATFORM VLLM_USE_V1 NUM_GPUS NUM_NODES
GPU_COUNT MPLBACKEND DATA OUT CLUSTER_NAME HERE RECIPE""".split()


def test_variables_of_other_programs_are_left_alone(knobs_of):
    read_knobs({**dict.fromkeys(OTHERS, "1"), **knobs_of(SCRIPTS[0])})


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_knob_is_set_and_its_comment_has_its_standing_and_its_keys(script):
    comments = knob_comments(script)
    assert set(comments) == set(KNOBS)
    for name, knob in KNOBS.items():
        assert re.match(r"(paper|family|judgement): ", comments[name]), name
        for key in knob.keys or ("No key",):
            assert key in comments[name], name


def test_recipes_differ_only_in_knobs_of_the_model(knobs_of):
    known = {*KNOBS, "RECIPE"}
    small, large, llama = ({k: v for k, v in knobs_of(script).items() if k in known} for script in SCRIPTS)
    differ = {name for name in small if small[name] != large[name]}
    assert differ == {"RECIPE", "NAME", "MODEL", "TP", "OFFLOAD"}
    differ = {name for name in large if large[name] != llama[name]} - {"RECIPE", "NAME"}
    assert differ == {"MODEL", "TRAIN_FILES", "VAL_FILES", "MAX_RESPONSE", "OVERLONG_LEN", "MAX_TOKENS"}
