"""``recipes/eval.sh`` on the real SGLang, on a CPU. Left out where that is not installed: ``make test-sglang``."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from daro_verl.platform.overrides import SGLANG_ARGUMENTS
from tests.toolkit.evaluation.files import Question, write

pytestmark = pytest.mark.slow
RECIPE = Path(__file__).parents[3] / "recipes" / "eval.sh"
K, TOKENS, PROBLEMS = 8, 40, 3


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    questions = [Question("aime24", f"How much is {number} + 1?", str(number + 1), K) for number in range(PROBLEMS)]
    questions += [Question("math500", f"Write {number} plus x.", f"{number}+x") for number in range(2)]
    return write(tmp_path_factory.mktemp("data") / "test.parquet", questions)


def evaluate(model: Path, data: Path, out: Path, copies: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = {"DATA": data, "OUT": out, "INFER_BACKEND": "sglang", "RESPONSE_TOKENS": TOKENS, "TEMPERATURE": 1.0}
    settings |= {"DTYPE": "float32", "DP": copies, "PYTHON": sys.executable, "VERL_PLATFORM": "cpu"}
    command = ["bash", str(RECIPE), str(model), *arguments]
    environment = os.environ | {name: str(value) for name, value in settings.items()}
    return subprocess.run(command, env=environment, cwd=out.parent, capture_output=True, text=True, timeout=300)


def responses(model: Path, data: Path, out: Path, copies: int) -> dict[str, list[dict]]:
    """Of one launch, by problem."""
    done = evaluate(model, data, out, copies, "--engine-args", json.dumps(SGLANG_ARGUMENTS))
    assert done.returncode == 0, done.stderr[-4000:]
    report = json.loads((out / "report.json").read_text())
    assert report["settings"]["backend"] == "sglang" and report["launches"][0]["dp"] == copies
    aime = report["benchmarks"]["aime24"]
    assert (aime["num_problems"], aime["num_responses"]) == (PROBLEMS, K)
    assert done.stdout == (out / "report.md").read_text()
    rows = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]
    assert sorted(len(row["responses"]) for row in rows) == [1, 1, *[K] * PROBLEMS]
    return {row["key"]: row["responses"] for row in rows}


def test_a_model_is_evaluated_by_two_copies_as_by_one(model, data, tmp_path):
    """All responses to a problem are distinct, and the same in two launches with another number of copies."""
    two = responses(model, data, tmp_path / "two", copies=2)
    for found in two.values():
        assert len({response["digest"] for response in found}) == len(found)
        # those that were cut off are exactly as long as asked for, none is longer
        assert all(1 <= response["length"] <= TOKENS for response in found)
        assert all(response["length"] == TOKENS for response in found if response["finish"] == "length")
    assert responses(model, data, tmp_path / "one", copies=1) == two


def test_an_engine_without_seeds_of_responses_is_refused(model, data, tmp_path):
    done = evaluate(model, data, tmp_path / "run", 1, "--engine-args", '{"enable_deterministic_inference": false}')
    assert done.returncode == 2
    assert "--engine-args enable_deterministic_inference: got False, expected true" in done.stderr
