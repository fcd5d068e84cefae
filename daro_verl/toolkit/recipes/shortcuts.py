"""Environment variables of the recipes: short names for the settings that change most from run to run.

``METHOD=grpo`` is ``method=grpo``. Every other setting is a Hydra argument. A variable that looks like a setting but
that the recipe does not read is refused, because the run would silently use the default.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from daro_verl.errors import problem
from daro_verl.toolkit.recipes.setting_rules import KEY, SETTINGS

SHORTCUTS = [setting for setting in SETTINGS.values() if setting.shortcut]
# Variables that are not settings of verl: the recipe's own, and one of Ray. Each: default, expected, pattern.
OTHERS = {
    "DRY_RUN": ("0", "0 or 1", r"[01]"),
    "SMOKE": ("0", "0 or 1", r"[01]"),
    "GPU_SMOKE": ("0", "0 or 1", r"[01]"),
    "RAY_ADDRESS": ("none", "none, or auto, HOST:PORT or ray://HOST:PORT", r"none|auto|(ray://)?[\w.-]+:\d+"),
}
VARIABLES = {*(setting.name for setting in SHORTCUTS), *OTHERS}
# A name counts as misspelled if it is one of ALIASES, or at least SHORTEST long and NEAR to a setting's name. RAY_*
# variables and PROJECT_ID are no nearer than 0.85.
ALIASES = {"BACKEND": "INFER_BACKEND", "ROLLOUT": "INFER_BACKEND", "BATCH_SIZE": "BATCH", "LEARNING_RATE": "LR",
           "MINI_BATCH_SIZE": "MINI_BATCH"}  # fmt: skip
SHORTEST, NEAR = 5, 0.86


@dataclass
class Asked:
    """The settings of the environment. ``variables``: the variable's name, by the key that it sets.

    ``pretrained``: whether the smoke run uses a pretrained model (:mod:`daro_verl.toolkit.recipes.pretrained`).
    """

    overrides: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    dry_run: bool = False
    smoke: bool = False
    gpu_smoke: bool = False
    pretrained: bool = False
    ray_address: str | None = None

    def value_of(self, key: str) -> str | None:
        """The value to which a variable sets ``key``."""
        return next((text.partition("=")[2] for text in self.overrides if text.startswith(f"{key}=")), None)


def read_environment(environment: Mapping[str, str]) -> Asked:
    """The shortcuts in ``environment`` as Hydra overrides, and a problem for each variable that is wrong."""
    dry_run, smoke, gpu_smoke, address = (environment.get(name, default) for name, (default, *_) in OTHERS.items())
    alone = address == "none" or smoke == "1"  # a smoke run starts its own Ray
    asked = Asked(dry_run=dry_run == "1", smoke=smoke == "1", gpu_smoke=gpu_smoke == "1")
    asked.ray_address = None if alone else address
    asked.problems = _stray(environment)
    if asked.smoke and asked.gpu_smoke:
        asked.problems.append(problem("SMOKE, GPU_SMOKE", "1, 1", "one of them", "set SMOKE=1 without a GPU"))
    for setting in SHORTCUTS:
        text = environment.get(setting.name)
        if setting.name == "METHOD" and text is not None and not setting.rule.allows(text):
            fix = "correct it, or unset METHOD to use daro"
            asked.problems.append(problem("METHOD", text, setting.rule.expected, fix))
        elif text is not None:
            asked.overrides.append(render(setting.key, text.split(",") if setting.name.endswith("_FILES") else text))
            asked.variables[setting.key] = setting.name
    for name, (default, expected, pattern) in OTHERS.items():
        if not re.fullmatch(pattern, text := environment.get(name, default)):
            asked.problems.append(problem(name, text, expected, f"set {name} to such a value, or unset it"))
    return asked


def _stray(environment: Mapping[str, str]) -> list[str]:
    """A problem for each variable that looks like a setting but does not belong to the recipes."""
    problems = []
    for name in sorted(set(environment) - VARIABLES):
        if meant := _meant(name):
            expected, fix = f"a variable of the recipes, perhaps {meant}", f"set {meant}"
            if meant not in VARIABLES:
                expected, fix = "an argument instead of a variable", f"run bash recipes/... {KEY[meant]}=VALUE"
            fix += f", or unset {name} if it belongs to another program (env -u {name} bash ...)"
            problems.append(problem(name, environment[name], expected, fix))
    return problems


def _meant(name: str) -> str | None:
    """The setting that a user may have meant by ``name``. Short names are too similar to others to tell."""
    if name in SETTINGS or name in ALIASES or len(name) < SHORTEST:
        return ALIASES.get(name, name if name in SETTINGS else None)
    return next(iter(difflib.get_close_matches(name, {*SETTINGS, *OTHERS}, n=1, cutoff=NEAR)), None)


def render(key: str, value: str | list[str]) -> str:
    """A Hydra override. A text of more than a word is quoted."""
    texts = [_quoted(text) for text in ([value] if isinstance(value, str) else value)]
    return f"{key}={texts[0] if isinstance(value, str) else '[' + ','.join(texts) + ']'}"


def _quoted(text: str) -> str:
    if re.fullmatch(r"[\w./:-]+", text, re.ASCII):  # Hydra's own grammar of a word
        return text
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
