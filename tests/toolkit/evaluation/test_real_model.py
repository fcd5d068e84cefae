"""``daro data test``, then ``recipes/eval.sh`` on vLLM's CPU build, with a pretrained model and a problem of each of
the six benchmarks: its own tokenizer, chat template, data and reward.

The model is made once, where the quickstart has it. Where the benchmarks' files are not, rows of their form are taken.
"""

import json
from pathlib import Path

import pytest

from benchmarks.reward import real_files
from daro_verl.cli import main
from daro_verl.toolkit.models.smollm2 import write_smollm2
from examples.quickstart.smollm2 import MODEL
from tests.toolkit.data import raw
from tests.toolkit.data.test_real_files import MADE
from tests.toolkit.evaluation.test_real_engine import TOKENS, start

pytestmark = pytest.mark.slow
RESPONSES = {"aime24": 32, "aime25": 32, "amc": 32, "math500": 1, "minerva": 1, "olympiadbench": 1}


def local_file(source: str, folder: Path) -> Path:
    """The real file, or one of its form."""
    name = real_files.FILES[source]
    if (file := real_files.folder() / name).exists():
        return file
    write = raw.write_parquet if name.endswith(".parquet") else raw.write_jsonl
    return write(folder / name, MADE[source])


def test_the_six_benchmarks_are_answered_and_scored(tmp_path):
    files = [f"--local={source}={local_file(source, tmp_path)}" for source in RESPONSES]
    assert main(["data", "test", *files, "--limit", "1", "--out", str(tmp_path / "test.parquet")]) == 0
    model = tmp_path / "global_step_1" / "actor" / "model" / "huggingface"
    model.parent.mkdir(parents=True)
    model.symlink_to(write_smollm2(MODEL))
    process = start(tmp_path, "scored", 1)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    found = json.loads((tmp_path / "scored" / "report.json").read_text())["benchmarks"]
    assert {name: part["num_responses"] for name, part in found.items()} == RESPONSES
    assert all((part["num_problems"], part["timeouts"]) == (1, 0) for part in found.values())
    rows = [json.loads(line) for line in (tmp_path / "scored" / "rows.jsonl").read_text().splitlines()]
    drawn = [response for row in rows for response in row["responses"]]
    assert all(0 < response["length"] <= TOKENS and response["acc"] in (0, 1) for response in drawn)
    assert len({response["digest"] for response in drawn}) == len(drawn)  # at temperature 1, up to 100 tokens each
