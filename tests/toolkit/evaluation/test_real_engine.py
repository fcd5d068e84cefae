"""``recipes/eval.sh`` on the real vLLM (its CPU build): interrupted by Ctrl-C, and gone on with."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.toolkit.evaluation.files import Question, write

pytestmark = pytest.mark.slow
RECIPE = Path(__file__).parents[3] / "recipes" / "eval.sh"
NUM_ROWS, K, TOKENS = 20, 4, 200


def start(model: Path, folder: Path) -> subprocess.Popen[str]:
    """The recipe, with few responses at once, so that there is time to interrupt it."""
    settings = {
        "DATA": folder / "test.parquet",
        "OUT": folder / "run",
        "RESPONSE_TOKENS": TOKENS,
        "PYTHON": sys.executable,
    }
    environment = os.environ | {"VERL_PLATFORM": "cpu"} | {name: str(value) for name, value in settings.items()}
    command = ["bash", str(RECIPE), str(model), "--in-flight", "4"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, cwd=folder, start_new_session=True, **pipes)


def wait_for_rows(file: Path, count: int, process: subprocess.Popen[str]) -> list[bytes]:
    while process.poll() is None:
        lines = file.read_bytes().splitlines() if file.exists() else []
        if len(lines) >= count:
            return lines
        time.sleep(0.05)
    raise AssertionError(process.communicate())


def test_a_run_is_interrupted_and_goes_on(model, tmp_path):
    questions = [Question("aime24", f"How much is {number} + 1?", str(number + 1), K) for number in range(NUM_ROWS)]
    write(tmp_path / "test.parquet", questions)
    rows = tmp_path / "run" / "rows.jsonl"
    process = start(model, tmp_path)
    wait_for_rows(rows, 2, process)
    os.killpg(process.pid, signal.SIGINT)  # a Ctrl-C reaches the engine's processes too
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130 and "Run the same command again" in errors, errors
    before = rows.read_bytes().splitlines()
    assert 2 <= len(before) < NUM_ROWS
    process = start(model, tmp_path)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    after = rows.read_bytes().splitlines()
    assert after[: len(before)] == before and len(after) == NUM_ROWS
    assert len({json.loads(line)["key"] for line in after}) == NUM_ROWS
    responses = [response for line in after for response in json.loads(line)["responses"]]
    assert len(responses) == NUM_ROWS * K
    assert all(response["length"] == TOKENS for response in responses if response["finish"] == "length")
    assert all(1 <= response["length"] <= TOKENS for response in responses if response["finish"] == "stop")
    assert output == (tmp_path / "run" / "report.md").read_text() and f"| aime24 | {NUM_ROWS} | {K} |" in output
