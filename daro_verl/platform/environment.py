"""The environment of every process on the CPU platform. A user sets only ``VERL_PLATFORM=cpu``."""

import gc
import os

# Variables that the libraries read on their own.
DEFAULTS = {
    # Does for child processes what torch_cuda.disable_torch_compile does for this one.
    "TORCHDYNAMO_DISABLE": "1",
    # Ranks and servers share the cores: one thread each. vLLM would pin its threads to cores of its own choice.
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    # GiB of KV cache for each vLLM server. By default the cache takes its share of the machine's memory.
    "VLLM_CPU_KVCACHE_SPACE": "1",
    # The layers of SGLang ask for this, not for its argument ``device``.
    "SGLANG_USE_CPU_ENGINE": "1",
    # vLLM's CPU build starts a process of its own for each rank, unless this forbids new processes. The engine core
    # still gets one, because verl's servers always ask for it.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    # Megatron's tensor-parallel layers expect it. On a GPU it orders their kernels.
    "CUDA_DEVICE_MAX_CONNECTIONS": "1",
}

GC_THRESHOLDS = (200_000, 50, 100)


def set_defaults() -> None:
    """Set every variable of :data:`DEFAULTS` that the user did not set. Child processes inherit it, Ray's included."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)


def collect_garbage_seldom() -> None:
    """Ray's ``worker_process_setup_hook``: collect after 200,000 new objects instead of 700.

    The objects that a process makes while it imports torch, transformers and verl never go away, and every collection
    scans them again. ``docs/startup.md`` gives the cost.
    """
    gc.set_threshold(*GC_THRESHOLDS)
