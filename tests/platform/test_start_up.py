"""What the platform leaves out at the start of a job and waits for less; each still has its reason."""

import gc
import importlib
import json

import pytest

from daro_verl.platform import environment
from daro_verl.platform.overrides import cpu_overrides
from tests.platform.processes import run_code

ACTIVATE = "import verl\nfrom daro_verl import platform\nplatform.activate()\n"
SEEN = """
import json, sys
from verl.trainer.ppo.v1 import replay_buffer
settings = dict(trainer_config={}, max_off_policy_threshold=None, max_off_policy_strategy="drop", sampler_kwargs={})
kinds = (replay_buffer.ReplayBuffer, "sync"), (replay_buffer.ReplayBufferAsync, "colocate_async")
seen = {"intervals": [kind(trainer_mode=mode, **settings).poll_interval for kind, mode in kinds]}
import vllm
seen["lowerings"] = "torch._inductor.lowering" in sys.modules
from vllm.config import ParallelConfig, VllmConfig
config = VllmConfig(parallel_config=ParallelConfig(distributed_executor_backend="uni"))
seen["executor"] = config.parallel_config.distributed_executor_backend
import torch._inductor.lowering  # it can be imported later
print(json.dumps(seen))
"""


def seen(code: str, **settings) -> dict:
    return json.loads(run_code(code, **settings).splitlines()[-1])


@pytest.fixture(scope="module")
def before() -> dict:
    pytest.importorskip("vllm")
    return seen(SEEN, verl_platform=None, VLLM_ENABLE_V1_MULTIPROCESSING="1")


@pytest.fixture(scope="module")
def after() -> dict:
    pytest.importorskip("vllm")
    return seen(ACTIVATE + SEEN)


@pytest.mark.slow
def test_verl_still_polls_for_responses_every_two_seconds(before, after):
    assert (before["intervals"], after["intervals"]) == ([2.0, 2.0], [0.2, 2.0])


@pytest.mark.slow
def test_vllm_still_imports_the_lowerings_of_inductor(before, after):
    assert (before["lowerings"], after["lowerings"]) == (True, False)


@pytest.mark.slow
def test_vllm_still_starts_a_process_for_its_only_rank(before, after):
    assert (before["executor"], after["executor"]) == ("mp", "uni")


def test_the_hook_that_ray_is_given_exists():
    (path,) = (o.partition("=")[2] for o in cpu_overrides() if "worker_process_setup_hook" in o)
    module, _, name = path.rpartition(".")
    hook, before = getattr(importlib.import_module(module), name), gc.get_threshold()
    try:
        hook()
        assert gc.get_threshold() == environment.GC_THRESHOLDS
    finally:
        gc.set_threshold(*before)
