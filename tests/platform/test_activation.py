"""The platform is there when asked for, and leaves no trace otherwise."""

import logging

import pytest

from daro_verl import platform
from tests.platform.processes import run_code

UNTOUCHED = """
import importlib.metadata, sys, torch
current_device, version, type_ = torch.cuda.current_device, importlib.metadata.version, torch.Tensor.type
import verl
from verl.plugin.platform import PlatformRegistry
import verl.utils.distributed, verl.workers.config
assert "cpu" not in PlatformRegistry.registered_names()
assert "daro_verl.platform.bridges" not in sys.modules
assert torch.cuda.current_device is current_device and torch.Tensor.type is type_
assert importlib.metadata.version is version
assert not hasattr(verl.workers.config.McoreEngineConfig.__post_init__, "__wrapped__")
assert verl.utils.distributed.get_device_name.__module__ == "verl.utils.device"
"""


@pytest.mark.parametrize("value", ["cpu", "CPU", " Cpu "])
def test_platform_is_requested_by_verl_platform(monkeypatch, value):
    monkeypatch.setenv("VERL_PLATFORM", value)
    assert platform.requested()


@pytest.mark.parametrize("value", [None, "", "nvidia", "cpu2"])
def test_platform_is_not_requested_otherwise(monkeypatch, value):
    monkeypatch.delenv("VERL_PLATFORM", raising=False)
    if value is not None:
        monkeypatch.setenv("VERL_PLATFORM", value)
    assert not platform.requested()


@pytest.mark.slow
def test_nothing_is_patched_when_not_requested_even_with_plugins():
    run_code(UNTOUCHED, verl_platform=None, VERL_USE_EXTERNAL_PLUGINS="auto")


def test_importing_the_package_imports_no_library():
    run_code(
        "import sys, daro_verl.platform\n"
        "assert not {'torch', 'verl', 'vllm', 'megatron', 'wrapt', 'ray'} & set(sys.modules)"
    )


@pytest.mark.slow
def test_verl_still_has_no_cpu_platform():
    """A failure means that verl ships one: compare it with PlatformCPU."""
    code = "import verl.plugin.platform as p\ntry: p.get_platform()\nexcept ValueError as error: print(error)"
    assert "Unknown platform 'cpu'" in run_code(code)


@pytest.mark.slow
def test_activation_gives_verl_a_cpu_platform_and_imports_no_engine():
    run_code(
        "import os, sys, verl\n"
        "from daro_verl import platform\n"
        "platform.activate(); platform.activate()\n"
        "from verl.plugin.platform import get_platform\n"
        "from verl.utils import device\n"
        "import torch\n"
        "assert get_platform().device_name == 'cpu' and not device.is_support_ipc()\n"
        "assert torch.zeros(1).to(device.get_device_id()).device.type == 'cpu'\n"
        "assert device.get_torch_device().mem_get_info() == (0, 0)\n"
        "assert device.get_torch_device().max_memory_allocated() == 0\n"
        "assert torch.compiler.is_compiling() is False and torch._dynamo.config.disable\n"
        "assert os.environ['VLLM_CPU_KVCACHE_SPACE'] == '1' and os.environ['OMP_NUM_THREADS'] == '3'\n"
        "assert not [m for m in sys.modules if m.split('.')[0] in ('vllm', 'megatron', 'mbridge')]\n",
        OMP_NUM_THREADS="3",
    )


def test_visible_cuda_devices_are_reported_as_unused(monkeypatch, caplog):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    with caplog.at_level(logging.WARNING):
        platform._warn_if_cuda_is_visible()
    assert "8 CUDA device(s) are visible and stay unused" in caplog.text
    assert "Unset VERL_PLATFORM" in caplog.text
