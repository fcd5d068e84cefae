"""Weights that would arrive otherwise, or not at all, are refused before a start."""

from dataclasses import replace

import pytest

from daro_verl.errors import DaroConfigError
from daro_verl.toolkit.models.shape import Shape, read_shape
from daro_verl.toolkit.recipes.setting_rules import KEY
from daro_verl.toolkit.recipes.weight_transfer import BUCKET, transfer_problems
from tests.toolkit.models import tiny
from tests.toolkit.recipes.scripts import SCRIPTS

MBRIDGE = f"{KEY['BRIDGE']}=true"
SMOLLM2 = Shape(30, 9, 3, 576, 1536, 49152, 8192, tied=True)


def test_mbridge_is_refused_for_scaled_rotary_embeddings(dry_run):
    with pytest.raises(
        DaroConfigError, match="vanilla_mbridge: got True, expected false for a model with llama3 rotary"
    ):
        dry_run(SCRIPTS[2], MBRIDGE)
    dry_run(SCRIPTS[1], MBRIDGE)  # another base, which mbridge takes over
    dry_run(SCRIPTS[2], SMOKE="1")  # the platform hands the scaling over: tests/platform/test_long_context.py


def test_the_scaling_is_read_from_the_model(tmp_path):
    assert read_shape(tiny.llama(tmp_path / "llama")).rope_scaling == "llama3"
    assert read_shape(tiny.qwen_math(tmp_path / "qwen")).rope_scaling == "default"


def test_a_weight_larger_than_a_bucket_is_refused_where_it_goes_through_shared_memory(dry_run):
    """49152 x 576 numbers of 4 bytes: 108 MB; of 2 bytes: 54 MB. The platform's bucket has 16."""
    config = dry_run(SCRIPTS[0], SMOKE="1").config
    (problem,) = transfer_problems(config, SMOLLM2, smoke=True)
    assert problem.startswith(f"{BUCKET}: got 16, expected at least 54, ") and problem.endswith(f"Fix: set {BUCKET}=54")
    config.actor_rollout_ref.actor.megatron.dtype = "float32"
    assert f"set {BUCKET}=108" in transfer_problems(config, SMOLLM2, smoke=True)[0]
    assert transfer_problems(config, SMOLLM2, smoke=False) == []  # CUDA's IPC
    assert transfer_problems(config, replace(SMOLLM2, vocab_size=264), smoke=True) == []


def test_a_smoke_run_keeps_a_larger_bucket(dry_run):
    config = dry_run(SCRIPTS[0], f"{BUCKET}=54", SMOKE="1").config
    assert transfer_problems(config, SMOLLM2, smoke=True) == []
