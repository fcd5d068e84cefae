"""verl on a machine without an accelerator: Megatron-core or FSDP2 training and vLLM or SGLang rollout on the CPU.

Nothing here runs unless ``VERL_PLATFORM=cpu`` asks for it. The project's plugin then calls :func:`activate` in
every process that imports verl (driver, Ray workers, vLLM engines); SGLang's own processes, which do not, are started
with :mod:`daro_verl.platform.sglang_process`. The Hydra overrides that a job needs on top come from
:func:`daro_verl.platform.overrides.cpu_overrides`.

The platform is for tests and for learning the code path, not for speed: CUDA graphs, NCCL, Transformer Engine,
context parallelism, sequence packing and the engines' sleep modes do not exist on it.
"""

import logging
import os

logger = logging.getLogger(__name__)

_active = False


def requested() -> bool:
    """Return whether the environment asks for this platform (``VERL_PLATFORM=cpu``, in any case)."""
    return os.environ.get("VERL_PLATFORM", "").strip().lower() == "cpu"


def activate() -> None:
    """Register the platform with verl and bridge the libraries that expect CUDA. Idempotent.

    Call it in each process after ``import verl`` and before anything asks verl for its platform. No library is
    imported on the way except verl's platform module: bridges wait for the module they patch.
    """
    global _active
    if _active:
        return
    _active = True

    from . import bridges, environment

    environment.set_defaults()
    bridges.install()
    _warn_if_cuda_is_visible()


def _warn_if_cuda_is_visible() -> None:
    import torch

    if torch.cuda.is_available():
        logger.warning(
            "VERL_PLATFORM=cpu: %d CUDA device(s) are visible and stay unused, because the job was asked to run on "
            "the CPU. Unset VERL_PLATFORM to use them.",
            torch.cuda.device_count(),
        )
