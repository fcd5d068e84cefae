"""What a real run imports later, in its workers: better missed now, on this node at least."""

import importlib.util
from collections.abc import Sequence

from daro_verl.errors import problem
from daro_verl.toolkit.recipes.setting_rules import KEY

BUILT_IN = ("console", "file")  # loggers


def missing(backend: str, vanilla_mbridge: bool, context_parallel: int, loggers: Sequence[str]) -> list[str]:
    """Packages that a job with these settings needs and that are not installed here, by setting."""
    bridge, module = ("mbridge", "mbridge") if vanilla_mbridge else ("megatron-bridge", "megatron.bridge")
    engine = "install Transformer Engine (docs/recipes/), or set"
    needs = [
        ("model_engine", "megatron", "megatron.core", 'pip install "daro-verl[megatron]"'),
        (KEY["INFER_BACKEND"], backend, backend, f'pip install "daro-verl[{backend}]"'),
        (KEY["BRIDGE"], bridge, module, f"install it, or set {KEY['BRIDGE']}={str(not vanilla_mbridge).lower()}"),
        ("the reward", "math-verify", "math_verify", 'pip install "daro-verl[reward]"'),
        *(
            (KEY["LOGGER"], name, name, f"pip install {name}, or leave it out")
            for name in loggers
            if name not in BUILT_IN
        ),
    ]
    if not vanilla_mbridge:
        needs.append((KEY["BRIDGE"], bridge, "transformer_engine", f"{engine} {KEY['BRIDGE']}=true"))
    if context_parallel > 1:
        needs.append((KEY["CP"], str(context_parallel), "transformer_engine", f"{engine} {KEY['CP']}=1"))
    return [
        problem(key, name, f"an installed package (no module {module})", fix)
        for key, name, module, fix in needs
        if not _is_there(module)
    ]


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent is not there
        return False
