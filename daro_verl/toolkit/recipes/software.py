"""What a real run imports later, in its workers: better missed now, on this node at least."""

import importlib.util

from daro_verl.errors import got_expected_fix
from daro_verl.toolkit.recipes.knobs import Values

BRIDGES = {"megatron-bridge": "megatron.bridge", "mbridge": "mbridge"}
BUILT_IN = ("console", "file")  # loggers


def missing(values: Values) -> list[str]:
    """Packages that the job needs and that are not installed here, by knob."""
    backend, bridge = values["INFER_BACKEND"], values["BRIDGE"]
    engine = {"BRIDGE": bridge == "megatron-bridge", "CP": values["CP"] > 1}
    needs = [
        ("model_engine", "megatron", "megatron.core", 'pip install "daro-verl[megatron]"'),
        *(
            (knob, values[knob], "transformer_engine", f"install Transformer Engine (docs/recipes/), or set {other}")
            for knob, other in (("BRIDGE", "BRIDGE=mbridge"), ("CP", "CP=1"))
            if engine[knob]
        ),
        ("INFER_BACKEND", backend, backend, f'pip install "daro-verl[{backend}]"'),
        ("BRIDGE", bridge, BRIDGES[bridge], f"install it, or set BRIDGE={' or '.join(set(BRIDGES) - {bridge})}"),
        ("the reward", "math-verify", "math_verify", 'pip install "daro-verl[reward]"'),
        *(
            ("LOGGER", name, name, f"pip install {name}, or leave it out")
            for name in values["LOGGER"]
            if name not in BUILT_IN
        ),
    ]
    return [
        got_expected_fix(knob, name, f"an installed package (no module {module})", fix)
        for knob, name, module, fix in needs
        if not _is_there(module)
    ]


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent is not there
        return False
