"""A recipe as its script plans it."""

from collections.abc import Callable

import pytest

from daro_verl.toolkit.recipes.plan import Plan, plan
from tests.toolkit.recipes.scripts import BASE_MODELS, CONFIG, clean_environment


@pytest.fixture(scope="session")
def environment_of(tmp_path_factory) -> Callable[..., dict[str, str]]:
    """``environment_of(NAME=value)``: the environment of a dry run, with an output of its own."""
    folder = tmp_path_factory.mktemp("recipes")

    def environment_of(**variables: str) -> dict[str, str]:
        return clean_environment(**{"DRY_RUN": "1", "OUTPUT": str(folder / "run"), **variables})

    return environment_of


@pytest.fixture(scope="session")
def dry_run(environment_of) -> Callable[..., Plan]:
    """``dry_run(script, *overrides, NAME=value)``: the plan that a dry run prints."""

    def dry_run(script: str, *arguments: str, **variables: str) -> Plan:
        return plan(CONFIG, [f"base_model={BASE_MODELS[script]}", *arguments], environment_of(**variables))

    return dry_run
