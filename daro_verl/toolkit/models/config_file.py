"""``config.json`` with other rotary embeddings, as text-free data: nothing is read or written here.

``model.override_config`` of verl does not do it: vLLM, SGLang and Megatron-Bridge read the file.
"""

import copy
from typing import Any

from daro_verl.errors import got_expected_fix
from daro_verl.toolkit.models.errors import DaroModelError

Config = dict[str, Any]


def theta(config: Config) -> float | None:
    """The base of the rotary embeddings; None if the file leaves it to a default.

    transformers 5 writes it into ``rope_parameters``, which wins over the older ``rope_theta`` beside it.
    """
    parameters = config.get("rope_parameters")
    if isinstance(parameters, dict) and "rope_theta" in parameters:
        return float(parameters["rope_theta"])
    return float(config["rope_theta"]) if config.get("rope_theta") is not None else None


def scaling(config: Config) -> str:
    """Type of the scaling of rotary embeddings, ``default`` for none."""
    for name in ("rope_parameters", "rope_scaling"):
        if isinstance(parameters := config.get(name), dict):
            kind = parameters.get("rope_type", parameters.get("type"))
            if kind and kind != "default":
                return str(kind)
    return "default"


def with_positions(config: Config, new_theta: float, positions: int, old_theta: float) -> Config:
    """The configuration with another base and position limit, in the form of transformers 4 and in that of 5.

    Both forms are written, because an engine that knows one only would silently take the default base.

    Raises:
        DaroModelError: the base is neither the old one nor the new one, or is scaled already.
    """
    found = theta(config)
    if found not in (old_theta, new_theta):
        fix = "this is another model: use it as it is, or give the base that it has as --from-theta"
        raise DaroModelError(got_expected_fix("config.json: rope_theta", found, f"{old_theta:g} or {new_theta:g}", fix))
    if (kind := scaling(config)) != "default":
        fix = "use the model as it is: scaled positions are long already"
        raise DaroModelError(got_expected_fix("config.json: rope_scaling", kind, "none", fix))
    window = config.get("sliding_window")
    if config.get("use_sliding_window") and window is not None and window < positions:
        fix = f"set use_sliding_window to false in config.json, or --positions {window}"
        raise DaroModelError(got_expected_fix("config.json: sliding_window", window, f"at least {positions}", fix))
    changed = copy.deepcopy(config)
    base = int(new_theta) if float(new_theta).is_integer() else new_theta
    changed["rope_theta"] = base
    changed["rope_parameters"] = {"rope_type": "default", **(config.get("rope_parameters") or {}), "rope_theta": base}
    changed["max_position_embeddings"] = positions
    return changed


def changes(before: Config, after: Config) -> dict[str, list[Any]]:
    """Old and new value of each key that differs."""
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return {key: [before.get(key), after.get(key)] for key in keys}
