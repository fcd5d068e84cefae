"""A recipe's knobs, as its script exports them."""

from collections.abc import Callable

import pytest

from tests.toolkit.recipes.scripts import environment


@pytest.fixture(scope="session")
def knobs_of(tmp_path_factory) -> Callable[..., dict[str, str]]:
    """``knobs_of(script, NAME=value)``: the environment of a dry run, with an output of its own."""
    folder = tmp_path_factory.mktemp("recipes")

    def knobs_of(script: str, **knobs: str) -> dict[str, str]:
        return environment(script, folder / "python", **{"DRY_RUN": "1", "OUTPUT": str(folder / "run"), **knobs})

    return knobs_of
