"""A tiny model and a test file, each made once."""

import pytest

from tests.platform.tiny_model import build
from tests.toolkit.evaluation.files import Question, write

QUESTIONS = [
    *(Question("aime24", f"How much is {number} plus one?", str(number + 1), 4) for number in range(3)),
    *(Question("math500", f"Write {number} plus x.", f"{number}+x") for number in range(4)),
]


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return build(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def test_file(tmp_path_factory):
    return write(tmp_path_factory.mktemp("data") / "test.parquet", QUESTIONS)
