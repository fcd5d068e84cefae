"""Rotary embeddings in ``config.json``, in the forms of transformers 5 and transformers 4."""

import json
import logging
from pathlib import Path
from typing import Any

from daro_verl.atomic import write_atomically
from daro_verl.toolkit.models.origin import CONFIG, read_json

logger = logging.getLogger(__name__)


def in_both_forms(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with ``rope_theta`` and ``rope_scaling`` beside the ``rope_parameters`` of transformers 5.

    transformers 4 reads only the first two. Without them, an engine on it would silently use the default base 10000 and
    no scaling. A configuration without ``rope_parameters``, or with different ones per type of layer, does not change.
    """
    parameters = config.get("rope_parameters")
    if not isinstance(parameters, dict) or "rope_theta" not in parameters:
        return config
    scaling = {name: value for name, value in parameters.items() if name != "rope_theta"}
    is_scaled = scaling.get("rope_type", "default") != "default"
    return {**config, "rope_theta": parameters["rope_theta"]} | ({"rope_scaling": scaling} if is_scaled else {})


def write_both_forms(model: Path) -> None:
    """Complete the ``config.json`` of a model directory, in one rename. If it cannot be written, only log a warning."""
    config = read_json(model / CONFIG)
    if (both := in_both_forms(config)) == config:
        return
    try:
        write_atomically(model / CONFIG, json.dumps(both, indent=2) + "\n")
    except OSError as error:
        logger.warning("%s has no rope_theta, which engines on transformers 4 need: %s", model / CONFIG, error)
