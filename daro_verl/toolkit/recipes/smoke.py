"""``SMOKE=1``: a tiny model and data, so that the same script runs without a GPU.

The model has the settings of the real one (tied embeddings, grouped queries, rotary base, no chat template for Llama),
and is prepared by the same command. The task: greatest common divisors of small numbers, which are often 1 or 2, so
that a model that answers one of these is right in every mixture.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from daro_verl.errors import got_expected_fix
from daro_verl.toolkit.data.__main__ import main as data
from daro_verl.toolkit.models.__main__ import main as models
from daro_verl.toolkit.recipes import tiny_model
from daro_verl.toolkit.recipes.errors import DaroRecipeError
from daro_verl.toolkit.recipes.knobs import KNOBS, RECIPE, Values
from daro_verl.toolkit.recipes.overrides import key_of

TASK = 'gcd:{"min_value": 2, "max_value": 12}'
NUM_TRAIN, NUM_TEST, TEST_ROLLOUTS = 96, 8, 2
OVERRIDES = ["actor_rollout_ref.rollout.max_num_seqs=64", "actor_rollout_ref.rollout.max_num_batched_tokens=4096"]
ENVIRONMENT = {
    "VERL_PLATFORM": "cpu",
    "HF_HUB_OFFLINE": "1",
    "HYDRA_FULL_ERROR": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Else Ray starts as many idle workers as it may promise CPUs: a minute of work, and gigabytes.
    "RAY_prestart_worker_first_driver": "0",
}


def build(values: Values) -> None:
    """Write ``VAL_FILES``, ``TRAIN_FILES`` and ``MODEL``, unless they are there.

    Raises:
        DaroRecipeError: several files are asked for, or a command refuses.
    """
    (train, *more), (test, *others), model = values["TRAIN_FILES"], values["VAL_FILES"], Path(values["MODEL"])
    if more or others:
        fix = "set one TRAIN_FILES and one VAL_FILES with SMOKE=1"
        raise DaroRecipeError(got_expected_fix("TRAIN_FILES, VAL_FILES", [*more, *others], "one file each", fix))
    gym = ["gym", "--task", TASK]
    if not Path(test).exists():
        size = ["--size", str(NUM_TEST), "--seed", "1", "--rollouts", str(TEST_ROLLOUTS)]
        _run(data, [*gym, *size, "--split", "test", "--out", test])
    if not Path(train).exists():
        _run(data, [*gym, "--size", str(NUM_TRAIN), "--test", test, "--out", train])
    raw = model.with_name(f"{model.name}-raw")
    if not model.exists():
        tiny_model.build(raw, values[RECIPE], _questions(train))
        _run(models, ["prepare", str(raw), str(model)])


def problems_of(values: Values, config: DictConfig, platform: Sequence[str]) -> list[str]:
    """Knobs that the platform without a GPU decides, and that ask for something else."""
    keys, problems = {key_of(override) for override in platform}, []
    for name, knob in KNOBS.items():
        for key, value in knob.settings(values[name]).items():
            if key in keys and (has := OmegaConf.select(config, key)) != value:
                fix = f"unset {name}, or set it without SMOKE=1"
                problems.append(got_expected_fix(name, value, f"{has} with SMOKE=1, which has nothing else", fix))
    return problems


def _run(command: Callable[[list[str]], int], arguments: list[str]) -> None:
    if code := command(arguments):
        raise DaroRecipeError(got_expected_fix("SMOKE", f"exit code {code}", "a command that works", "see above"))


def _questions(train: str) -> list[list[dict[str, str]]]:
    import pandas as pd

    return [[dict(message) for message in prompt] for prompt in pd.read_parquet(train)["prompt"]]
