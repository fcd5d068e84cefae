"""The model that all ranks train, and one run of the rank script for each set of arguments."""

from functools import cache

import pytest

from tests.ranks import matrix


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> str:
    from tests.platform.tiny_model import build

    return str(build(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="session")
def train(model, tmp_path_factory):
    """``train(layout, *arguments)``: what the rank script wrote, run once per session for each of them."""
    return cache(lambda *arguments: matrix.train(model, tmp_path_factory.mktemp("ranks") / "out.pt", *arguments))


@pytest.fixture(scope="session")
def train_all(model, tmp_path_factory):
    """``train_all(layout)``: every variant on it."""
    return cache(lambda layout: matrix.train_all(model, tmp_path_factory.mktemp("ranks") / "out.pt", layout))
