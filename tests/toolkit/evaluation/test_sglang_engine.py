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
K, TOKENS = 4, 20


def test_a_model_is_evaluated(model, tmp_path):
    questions = [Question("aime24", f"How much is {number} + 1?", str(number + 1), K) for number in range(3)]
    questions += [Question("math500", f"Write {number} plus x.", f"{number}+x") for number in range(2)]
    settings = {
        "DATA": write(tmp_path / "test.parquet", questions),
        "OUT": tmp_path / "run",
        "INFER_BACKEND": "sglang",
        "RESPONSE_TOKENS": TOKENS,
        "PYTHON": sys.executable,
        "VERL_PLATFORM": "cpu",
    }
    command = ["bash", str(RECIPE), str(model), "--engine-args", json.dumps(SGLANG_ARGUMENTS)]
    environment = os.environ | {name: str(value) for name, value in settings.items()}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    rows = [json.loads(line) for line in (tmp_path / "run" / "rows.jsonl").read_text().splitlines()]
    assert sorted(len(row["responses"]) for row in rows) == [1, 1, K, K, K]
    responses = [response for row in rows for response in row["responses"]]
    # independent draws of a random model, none longer than asked for; those that were cut off are exactly as long
    assert all(1 <= response["length"] <= TOKENS for response in responses)
    assert all(response["length"] == TOKENS for response in responses if response["finish"] == "length")
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["settings"]["backend"] == "sglang"
    assert (report["benchmarks"]["aime24"]["num_problems"], report["benchmarks"]["aime24"]["num_responses"]) == (3, K)
    assert done.stdout == (tmp_path / "run" / "report.md").read_text()
