"""The recipe for verl-recipe: its scripts compose, and train as the project's own recipes do."""

import subprocess
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from tests.toolkit.recipes.scripts import CONFIG, clean_environment

DARO = Path(__file__).parents[3] / "upstream" / "verl_recipe_daro" / "new" / "daro"
SCRIPTS = {
    "run_qwen2.5_math_1.5b_megatron": "qwen2.5_math_1.5b",
    "run_qwen2.5_math_7b_megatron": "qwen2.5_math_7b",
    "run_llama3.1_8b_megatron": "llama3.1_8b",
}
NAMES = ("project_name", "experiment_name")
OUR_OWN = {"recipe", "trainer.default_local_dir", "trainer.logger", "algorithm.daro.metrics"} | {
    f"{logger}.{name}" for logger in ("trainer", "actor_rollout_ref.rollout.trace") for name in NAMES
}
"""What may differ: names of runs, what is logged, and the settings of this project's checks."""


def arguments_of(script: str, tmp_path: Path, *arguments: str, **variables: str) -> list[str]:
    """What ``python3`` is called with by a script."""
    python = tmp_path / "python3"
    python.write_text('#!/bin/sh\nfor argument in "$@"; do printf "%s\\0" "$argument"; done\n')
    python.chmod(0o755)
    env = clean_environment(**variables)
    command = ["bash", str(DARO / f"{script}.sh"), *arguments]
    env["PATH"] = f"{tmp_path}:{env['PATH']}"
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.split("\0")[:-1]


def composed(arguments: list[str]) -> DictConfig:
    module, folder, name, *overrides = arguments[1:]
    assert (module, folder, name) == (
        "verl.trainer.main_ppo",
        f"--config-path={DARO / 'config'}",
        "--config-name=daro_trainer",
    )
    with initialize_config_dir(str(DARO / "config"), version_base=None):
        return compose("daro_trainer", overrides)


def flat(config: DictConfig) -> dict[str, object]:
    """Every setting and its value; one file is the same as a list of it."""
    found: dict[str, object] = {}

    def walk(prefix: str, node: object) -> None:
        if isinstance(node, dict) and prefix not in OUR_OWN:
            for key, value in node.items():
                walk(f"{prefix}.{key}" if prefix else str(key), value)
        elif prefix not in OUR_OWN:
            found[prefix] = node[0] if isinstance(node, list) and len(node) == 1 else node

    walk("", OmegaConf.to_container(config, resolve=True))
    return found


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_has_the_settings_of_the_projects_own_recipe(script, tmp_path):
    got = flat(composed(arguments_of(script, tmp_path)))
    with initialize_config_dir(str(CONFIG), version_base=None):
        want = flat(compose("daro", [f"base_model={SCRIPTS[script]}", "method=daro"]))
    assert {name: (got.get(name), want.get(name)) for name in got | want if got.get(name) != want.get(name)} == {}


def test_the_methods_are_one_setting_apart(tmp_path):
    script = next(iter(SCRIPTS))
    daro = flat(composed(arguments_of(script, tmp_path)))
    grpo = flat(composed(arguments_of(script, tmp_path, METHOD="grpo")))
    paper = flat(composed(arguments_of(script, tmp_path, "+algorithm.daro.weighting=paper")))
    assert grpo == daro | {"algorithm.adv_estimator": "grpo"}
    assert paper == daro | {"algorithm.daro.weighting": "paper"}


def test_verl_recipe_finds_its_files():
    assert {path.stem for path in DARO.glob("*.sh")} == set(SCRIPTS)
    fields = dict(line.split("=", 1) for line in (DARO / "REQUIRED_VERL.txt").read_text().splitlines()[1:])
    assert fields["MODE"] == "pinned_tag" and fields["PIP_INSTALL"] == "pip install verl==0.9.1"
    assert (DARO / "README.md").read_text().count("| not run ") == 3 * 3 * 6  # until somebody runs them
