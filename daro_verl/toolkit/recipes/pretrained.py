"""``SMOKE=1 MODEL=smollm2``: the smoke run of a pretrained language model, SmolLM2-135M-Instruct.

The name always stands for the model, never for a directory ``./smollm2``. The paper does not use this model, so only a
smoke run accepts it. The sizes are in ``recipes/config/size/smollm2.yaml``. Settings that depend on the machine are
here.

The data are arithmetic problems after a worked example that ends in a box. The model follows the example. So the
recipe's own reward, the math reward, finds answers, some right and some wrong.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from daro_verl.atomic import partial_path, publish
from daro_verl.errors import DaroConfigError
from daro_verl.platform.overrides import cpu_overrides
from daro_verl.platform.processor import fast_dtype
from daro_verl.toolkit.data.exercises import WORKED, messages, train_and_test
from daro_verl.toolkit.data.parquet_file import ROLLOUTS
from daro_verl.toolkit.models.shape import Shape
from daro_verl.toolkit.models.smollm2 import PLACE
from daro_verl.toolkit.recipes.compose import key_of, without
from daro_verl.toolkit.recipes.files import MODEL
from daro_verl.toolkit.recipes.shortcuts import Asked
from daro_verl.toolkit.recipes.weight_transfer import BUCKET, BYTES, largest_weight

NAME = "smollm2"
SIZE = f"size={NAME}"
THREADS = "++ray_kwargs.ray_init.runtime_env.env_vars"


def is_asked(asked: Asked, arguments: Sequence[str]) -> bool:
    """Whether the variable or an argument asks for ``smollm2``. An argument overrides the variable.

    Raises:
        DaroConfigError: one of them does, but the run is not a smoke run without a GPU.
    """
    named = [text for text in [*asked.overrides, *arguments] if key_of(text) == MODEL]
    if not named or named[-1].partition("=")[2].strip(" '\"") != NAME:
        return False
    if not asked.smoke:
        expected = "a model's directory: smollm2, SmolLM2-135M-Instruct, is no model of the paper"
        fix = f"set SMOKE=1 MODEL={NAME}, or MODEL=./{NAME} for a directory of that name"
        raise DaroConfigError("MODEL", got=NAME, expected=expected, fix=fix)
    return True


def place(folder: Path) -> Path:
    """The directory of the model, in the checkout that has the recipes.

    Args:
        folder: ``recipes/config`` of the checkout.
    """
    return folder.absolute().parent.parent / PLACE


def platform(num_devices: int, shape: Shape) -> list[str]:
    """The platform's overrides, in the format that this processor multiplies fast, with a bucket for the embedding.

    Ranks and servers take turns, so the ranks share the cores. Waiting threads sleep, because there may be other work.
    """
    dtype = fast_dtype()
    own = [
        f"{BUCKET}={-(-largest_weight(shape, BYTES['float32']) // 2**20)}",
        f"{THREADS}.OMP_NUM_THREADS='{max(1, (os.cpu_count() or 1) // num_devices)}'",
        f"{THREADS}.OMP_WAIT_POLICY=PASSIVE",
    ]
    return [*without(cpu_overrides(num_devices, dtype=dtype, rollout_dtype=dtype), own), *own]


def write_data(train: Path, test: Path, num_train: int, num_test: int, rollouts: int) -> None:
    """Write the files that do not exist. Files written together share no question.

    Args:
        num_train, num_test: number of problems, from all levels in turn.
        rollouts: responses to each row of the test file.
    """
    trained, held_out = train_and_test(WORKED, num_train, num_test)
    for file, problems, own in ((test, held_out, {ROLLOUTS: rollouts}), (train, trained, {})):
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            rows = [_row(level, *problem) | own for level, problem in problems]
            pq.write_table(pa.Table.from_pylist(rows), partial_path(file))
            publish(partial_path(file), file)


def _row(level: str, question: str, answer: str) -> dict[str, Any]:
    """A row in the schema of verl's ``RLHFDataset``."""
    return {
        "data_source": f"arithmetic/{level.replace(' ', '_')}",
        "prompt": messages(WORKED[level], question, boxed=True),
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": answer},
    }


def notes() -> list[str]:
    """A note if a directory has the same name, because a user might expect it to be the model."""
    if not Path(NAME).exists():
        return []
    return [f"MODEL={NAME} is SmolLM2-135M-Instruct, not the directory ./{NAME} (for that, set MODEL=./{NAME})"]
