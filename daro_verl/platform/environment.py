"""What every process of a job on the CPU platform is started with, so that ``VERL_PLATFORM=cpu`` is all a user sets."""

import gc
import os

# Variables that the libraries read on their own.
DEFAULTS = {
    # Does for child processes what torch_cuda.disable_torch_compile does for this one.
    "TORCHDYNAMO_DISABLE": "1",
    # Ranks and servers share the cores: one thread each. vLLM would pin its threads to cores of its own choice.
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    # GiB of KV cache for each vLLM server, which else takes its share of the machine's memory.
    "VLLM_CPU_KVCACHE_SPACE": "1",
    # The layers of SGLang ask for this, not for its argument ``device``.
    "SGLANG_USE_CPU_ENGINE": "1",
    # vLLM's CPU build starts a process of its own for each rank unless this says that no process is to be started. The
    # engine core still gets one: verl's servers always ask for it.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    # Megatron's tensor-parallel layers expect it; on a GPU it orders their kernels.
    "CUDA_DEVICE_MAX_CONNECTIONS": "1",
}

GC_THRESHOLDS = (200_000, 50, 100)


def set_defaults() -> None:
    """Set :data:`DEFAULTS` where the user set nothing. Child processes, Ray's included, inherit them."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)


def collect_garbage_seldom() -> None:
    """Ray's ``worker_process_setup_hook``: collect after 200,000 new objects instead of 700.

    What a process makes while it imports torch, transformers and verl stays, and is looked through again and again.
    ``docs/startup.md`` says what it costs.
    """
    gc.set_threshold(*GC_THRESHOLDS)
