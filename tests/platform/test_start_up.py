"""What the platform leaves out at the start of a job and waits for less; each still has its reason."""

import gc
import importlib

import pytest

from daro_verl.platform import environment
from daro_verl.platform.overrides import cpu_overrides
from tests.platform.processes import run_code

ACTIVATE = "import verl\nfrom daro_verl import platform\nplatform.activate()\n"
BUFFER = """
from verl.trainer.ppo.v1 import replay_buffer
settings = dict(trainer_config={}, max_off_policy_threshold=None, max_off_policy_strategy="drop", sampler_kwargs={})
for kind, mode in ((replay_buffer.ReplayBuffer, "sync"), (replay_buffer.ReplayBufferAsync, "colocate_async")):
    print(kind(trainer_mode=mode, **settings).poll_interval)
"""
LOWERING = "import sys, vllm\nprint('torch._inductor.lowering' in sys.modules)\n"
EXECUTOR = """
from vllm.config import ParallelConfig, VllmConfig
print(VllmConfig(parallel_config=ParallelConfig(distributed_executor_backend="uni")).parallel_config)
"""


def test_verl_still_polls_for_responses_every_two_seconds():
    pytest.importorskip("verl")
    assert run_code(BUFFER, verl_platform=None).split()[-2:] == ["2.0", "2.0"]
    assert run_code(ACTIVATE + BUFFER).split()[-2:] == ["0.2", "2.0"]


def test_vllm_still_imports_the_lowerings_of_inductor():
    pytest.importorskip("vllm")
    assert run_code(LOWERING, verl_platform=None).split()[-1] == "True"
    can_be_imported_later = "import torch._inductor.lowering\n"
    assert run_code(ACTIVATE + LOWERING + can_be_imported_later).split()[-1] == "False"


def test_vllm_still_starts_a_process_for_its_only_rank():
    pytest.importorskip("vllm")
    assert "distributed_executor_backend='mp'" in run_code(EXECUTOR, VLLM_ENABLE_V1_MULTIPROCESSING="1")
    assert "distributed_executor_backend='uni'" in run_code(ACTIVATE + EXECUTOR)


def test_the_hook_that_ray_is_given_exists():
    (path,) = (o.partition("=")[2] for o in cpu_overrides() if "worker_process_setup_hook" in o)
    module, _, name = path.rpartition(".")
    hook, before = getattr(importlib.import_module(module), name), gc.get_threshold()
    try:
        hook()
        assert gc.get_threshold() == environment.GC_THRESHOLDS
    finally:
        gc.set_threshold(*before)
