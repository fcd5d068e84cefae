"""A long text has the same log-probabilities in training as in transformers, for every bridge that runs on a CPU."""

import json

import pytest

from tests.platform.processes import run

pytestmark = pytest.mark.slow
TOKENS = 2048


@pytest.fixture(scope="module")
def differences(tmp_path_factory) -> dict[str, float]:
    """By recipe, the largest difference of a log-probability. float32."""
    for module in ("megatron.core", "mbridge"):
        pytest.importorskip(module)
    folder = tmp_path_factory.mktemp("long_context")
    output = run(["-m", "tests.platform.long_context", str(folder), str(TOKENS)], timeout=300)
    return json.loads(output.splitlines()[-1])


@pytest.mark.parametrize("recipe", ["qwen2.5-math-1.5b", "llama-3.1-8b"])
def test_mbridge_has_the_rotary_embeddings_of_the_model(differences, recipe):
    """Base 40000 of Qwen2.5-Math, scaled frequencies of Llama 3.1. Without scaling Llama's differ by 0.7."""
    assert differences[recipe] < 1e-4
