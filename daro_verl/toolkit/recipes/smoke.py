"""``SMOKE=1``: a tiny model and data, so that the same recipe runs without a GPU.

The model has the settings of the real one: tied embeddings, grouped queries, rotary base, no chat template for Llama.
The same command prepares both models. The task is the greatest common divisor of small numbers. It is often 1 or 2.
So a model that answers 1 or 2 gives groups with every mixture of right and wrong. The sizes are in
``recipes/config/size/smoke.yaml``. ``MODEL=smollm2`` uses a pretrained model instead (``pretrained.py``).
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from daro_verl.errors import DaroConfigError, problem
from daro_verl.platform.overrides import cpu_overrides
from daro_verl.toolkit.models.shape import Shape
from daro_verl.toolkit.models.smollm2 import write_smollm2
from daro_verl.toolkit.recipes import pretrained, tiny_model
from daro_verl.toolkit.recipes.files import TRAIN, VALIDATION
from daro_verl.toolkit.recipes.shortcuts import Asked

DATA = (sys.executable, "-m", "daro_verl.cli", "data")
MODELS = (sys.executable, "-m", "daro_verl.cli", "models")
TASK = 'gcd:{"min_value": 2, "max_value": 12}'
NUM_TRAIN, NUM_TEST, TEST_ROLLOUTS = 96, 8, 2
ENVIRONMENT = {
    "VERL_PLATFORM": "cpu",
    "HF_HUB_OFFLINE": "1",
    "HYDRA_FULL_ERROR": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Otherwise Ray starts an idle worker for each CPU that it may promise, which takes a minute, and gigabytes.
    "RAY_prestart_worker_first_driver": "0",
}


def size_of(asked: Asked) -> list[str]:
    """The override that chooses the sizes."""
    return [pretrained.SIZE if asked.pretrained else "size=smoke"]


def platform(config: DictConfig, asked: Asked) -> list[str]:
    """The overrides that verl needs without a GPU."""
    num_devices = config.trainer.n_gpus_per_node
    if asked.pretrained:
        return pretrained.platform(num_devices, Shape(**config.recipe.published))
    return cpu_overrides(num_devices)


def build(config: DictConfig, with_pretrained: bool = False) -> None:
    """Write the test file, the training file and the model, unless they exist.

    Raises:
        DaroConfigError: the job names several files, or a command fails.
        DaroDataError: the pretrained model is not available.
    """
    (train, *more), (test, *others) = config.data.train_files, config.data.val_files
    model = Path(config.actor_rollout_ref.model.path)
    if more or others:
        got, fix = [*more, *others], "set one TRAIN_FILES and one VAL_FILES with SMOKE=1"
        raise DaroConfigError(f"{TRAIN}, {VALIDATION}", got=got, expected="one file each", fix=fix)
    if with_pretrained:
        write_smollm2(model)
        pretrained.write_data(Path(train), Path(test), NUM_TRAIN, NUM_TEST, TEST_ROLLOUTS)
        return
    gym = [*DATA, "gym", "--task", TASK]
    if not Path(test).exists():
        size = ["--size", str(NUM_TEST), "--seed", "1", "--rollouts", str(TEST_ROLLOUTS)]
        _run([*gym, *size, "--split", "test", "--out", test])
    if not Path(train).exists():
        _run([*gym, "--size", str(NUM_TRAIN), "--test", test, "--out", train])
    raw = model.with_name(f"{model.name}-raw")
    if not model.exists():
        tiny_model.build(raw, config.recipe.model, _questions(train))
        _run([*MODELS, "prepare", str(raw), str(model)])


def platform_problems(config: DictConfig, wanted: DictConfig, variables: Mapping[str, str]) -> list[str]:
    """A problem for each variable that the platform without a GPU would override.

    Args:
        config: the configuration with the platform's settings.
        wanted: the configuration without them.
        variables: the variable's name, by the key that both set.
    """
    problems = []
    for key, name in variables.items():
        got, has = OmegaConf.select(wanted, key), OmegaConf.select(config, key)
        if got != has:
            fix = f"unset {name}, or set it without SMOKE=1"
            problems.append(problem(name, got, f"{has}, the only choice with SMOKE=1", fix))
    return problems


def _run(command: Sequence[str]) -> None:
    if code := subprocess.run(command).returncode:
        raise DaroConfigError("SMOKE", got=f"exit code {code}", expected="a command that works", fix="see above")


def _questions(train: str) -> list[list[dict[str, str]]]:
    import pandas as pd

    return [[dict(message) for message in prompt] for prompt in pd.read_parquet(train)["prompt"]]
