"""The recipes' scripts and their configuration."""

import os
from pathlib import Path
from typing import Any

import yaml

from daro_verl.toolkit.recipes.setting_rules import SETTINGS
from daro_verl.toolkit.recipes.shortcuts import ALIASES, VARIABLES

RECIPES = Path(__file__).parents[3] / "recipes"
CONFIG = RECIPES / "config"
BASE_MODELS = {
    "run_daro_qwen2.5_math_1.5b": "qwen2.5_math_1.5b",
    "run_daro_qwen2.5_math_7b": "qwen2.5_math_7b",
    "run_daro_llama8b": "llama3.1_8b",
}
SCRIPTS = tuple(BASE_MODELS)


def clean_environment(**variables: str) -> dict[str, str]:
    """This process's, without what a recipe reads or refuses and somebody set (``make test ROLLOUT=...``)."""
    theirs = {*SETTINGS, *VARIABLES, *ALIASES}
    return {name: value for name, value in os.environ.items() if name not in theirs} | variables


def settings_of(file: Path) -> dict[str, tuple[Any, str]]:
    """Value of each setting in a file of ``recipes/config``, and the comment just before it, by key.

    Lists count as one setting, and so does what has nothing but numbers below one comment (``recipe.published``).
    """
    root = yaml.compose(file.read_text())
    lines = file.read_text().splitlines()
    found: dict[str, tuple[Any, str]] = {}

    def walk(prefix: str, node: yaml.MappingNode) -> None:
        for key, value in node.value:
            name = f"{prefix}.{key.value}" if prefix else key.value
            above = lines[key.start_mark.line - 1].strip() if key.start_mark.line else ""
            comment = above.removeprefix("# ") if above.startswith("# ") else ""
            if isinstance(value, yaml.MappingNode) and not (prefix and comment):
                walk(name, value)
            elif name not in ("defaults", "hydra.searchpath"):
                found[name] = (yaml.safe_load(yaml.serialize(value)), comment)

    walk("", root)
    return found
