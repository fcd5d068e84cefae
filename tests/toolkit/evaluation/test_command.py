"""The command itself: exit codes, and arguments out of their bounds."""

import pytest

from daro_verl.cli import main
from daro_verl.toolkit.evaluation import run

RUN = ["evaluate", "model", "--data", "test.parquet", "--out", "out"]


def test_defaults_are_those_of_the_papers_family(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(run, "evaluate", lambda spec, progress: asked.append(spec))
    (tmp_path / "report.md").write_text("")
    assert main([*RUN[:-1], str(tmp_path)]) == 0
    (made,) = asked
    assert (made.temperature, made.top_p, made.response_tokens, made.backend) == (0.6, 1.0, 8192, "vllm")
    assert made.resources.dp >= 1 and made.in_flight == 512 * made.resources.dp


WRONG = {
    "--temperature": "nan", "--top-p": "0", "--top-k": "0", "--response-tokens": "0", "--max-model-tokens": "-1",
    "--limit": "-1", "--tp": "0", "--dp": "-1", "--memory": "60", "--in-flight": "-1", "--engine-args": "[]",
}  # fmt: skip


@pytest.mark.parametrize(("option", "value"), WRONG.items())
def test_a_wrong_argument_is_named(option, value, capsys):
    assert main([*RUN, f"{option}={value}"]) == 2
    assert capsys.readouterr().err.startswith(f"{option}: got ")


def test_a_missing_file_is_named_before_the_model_is_looked_at(capsys):
    assert main(RUN) == 2
    assert "--data: got 'test.parquet', expected an existing parquet file. Fix: write" in capsys.readouterr().err
