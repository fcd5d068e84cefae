"""The checks in fresh processes: ``python -m daro_verl.toolkit.doctor.probes verl`` or ``ray``.

The last line of the output is the answer as JSON. This runs as the main module, because Ray sends that module's
functions to its workers by value. So even a worker without daro-verl can answer.
"""

import json
import logging
import os
import socket
import sys
from typing import Any

ANSWER = "daro-doctor: "
ENGINES = ("vllm", "sglang")
WITH_KERNELS = {"transformer_engine": "transformer_engine.pytorch", "flash_attn": "flash_attn"}
_WORKER_LIMIT_S = 80.0


def load_verl() -> dict[str, Any]:
    """Import verl as a job does, and report whether it loaded the plugin. This also runs in Ray workers."""
    import importlib
    import logging.handlers
    import os
    import socket
    import sys
    from importlib import metadata

    errors = logging.handlers.MemoryHandler(1000, flushLevel=logging.CRITICAL + 1)
    errors.setLevel(logging.ERROR)
    logging.getLogger("daro_verl").addHandler(errors)
    answer: dict[str, Any] = {"node": socket.gethostname(), "loaded": False, "error": ""}
    answer["policy"] = os.environ.get("VERL_USE_EXTERNAL_PLUGINS", "auto")
    answer["entry_point"] = any(one.value == "daro_verl.plugin" for one in metadata.entry_points(group="verl.plugins"))
    try:
        answer["verl"] = importlib.import_module("verl").__version__
        answer["loaded"] = "daro_verl.plugin" in sys.modules
        answer["daro_verl"] = importlib.import_module("daro_verl").__version__
        importlib.import_module("daro_verl.plugin")  # if verl hid a failure, it fails here again
    except Exception as error:
        answer["error"] = f"{type(error).__name__}: {error}"
    if errors.buffer and not answer["error"]:
        answer["error"] = errors.buffer[0].getMessage()
    return answer


def ask_this_process() -> dict[str, Any]:
    """The result of :func:`load_verl` here, each engine's import error (None: absent), each GPU's name and bytes.

    On GPUs also the errors of packages with CUDA kernels. Only an import shows kernels that were built for another
    PyTorch.
    """
    answer, gpus = load_verl(), _gpus()
    engines = {name: import_error(name, *(["vllm._C"] if gpus and name == "vllm" else [])) for name in ENGINES}
    kernels = {name: import_error(name, module) for name, module in WITH_KERNELS.items()} if gpus else {}
    return answer | {"engines": engines, "kernels": kernels, "gpus": gpus}


def import_error(name: str, *modules: str) -> str | None:
    """The error of importing a package and these modules of it: empty if there is none, None if it is not installed."""
    import importlib.util

    if importlib.util.find_spec(name) is None:
        return None
    try:
        for module in (name, *modules):
            importlib.import_module(module)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def ask_ray_workers() -> dict[str, Any]:
    """The results of :func:`load_verl` in a worker on each node of RAY_ADDRESS's cluster, or of one started here."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    address = os.environ.get("RAY_ADDRESS", "")
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():  # Ray waits for minutes if nobody listens
        socket.create_connection((host, int(port)), timeout=5).close()
    here: dict[str, Any] = {"address": "local", "num_cpus": 1, "include_dashboard": False}
    ray.init(log_to_driver=False, logging_level=logging.ERROR, **({} if address else here))
    task = ray.remote(num_cpus=0, max_retries=0)(load_verl)
    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    asked = [
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote() for node in nodes
    ]
    workers = ray.get(asked, timeout=_WORKER_LIMIT_S)
    ray.shutdown()
    return {"workers": workers}


def _gpus() -> list[tuple[str, int]]:
    try:
        import torch

        every = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    except Exception:  # no torch, or no driver: neither gives a device
        return []
    return [(one.name, one.total_memory) for one in every]


if __name__ == "__main__":
    ask = {"verl": ask_this_process, "ray": ask_ray_workers}[sys.argv[1]]
    print(f"\n{ANSWER}{json.dumps(ask())}", flush=True)
