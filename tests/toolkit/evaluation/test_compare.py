"""Runs side by side: paired intervals, and which runs are no comparison."""

import json
from dataclasses import replace

import pytest

from daro_verl.cli import main
from daro_verl.errors import DaroConfigError, DaroDataError
from daro_verl.toolkit.evaluation.compare import comparison, read_run
from daro_verl.toolkit.evaluation.report_files import write_report
from daro_verl.toolkit.evaluation.row_file import Response, Row, RowFile
from daro_verl.toolkit.evaluation.settings import Settings, open_folder
from daro_verl.toolkit.evaluation.summary import summarise

SETTINGS = Settings("model", "w", "p", "vllm", "bfloat16", 0.6, 1.0, -1, 8192, 0, 0, 0)


def write_run(folder, rates, finished=True, **changes):
    """``rates``: of benchmarks, of problems by their key, from four responses each."""
    settings = replace(SETTINGS, **{"model": folder.name, **changes})
    open_folder(folder, settings)
    with RowFile(folder) as file:
        for benchmark, problems in rates.items():
            for key, rate in problems.items():
                accs = [float(index < 4 * rate) for index in range(4)]
                file.append(Row(key, benchmark, 5, tuple(Response("1", acc, False, 9, "stop") for acc in accs)))
        if finished:
            write_report(folder, settings, summarise(file.rows.values()), [], [])
    return folder


GRPO = {"aime24": {"a": 0.0, "b": 0.5}, "math500": {"c": 0.25, "d": 1.0}}
DARO = {"aime24": {"b": 0.5, "a": 1.0}, "math500": {"c": 0.5, "d": 0.75}}


def test_the_table(tmp_path, capsys):
    folders = [f"grpo={write_run(tmp_path / 'one', GRPO)}", f"daro={write_run(tmp_path / 'two', DARO)}"]
    assert main(["compare", *folders, "--out", str(tmp_path / "table.md")]) == 0
    text = (tmp_path / "table.md").read_text()
    assert capsys.readouterr().out == text
    # AIME24: grpo (0 + 0.5) / 2, se = 0.25; daro (1 + 0.5) / 2, se = 0.25
    assert "| aime24 | 25.0 ± 25.0 | 75.0 ± 25.0 |" in text
    # differences a: 1, b: 0: mean 0.5, se 0.5; one degree of freedom, t = 12.7062: 50 -+ 635.3. By key, not by order
    assert "| aime24 | +50.0 (-585.3 to +685.3) |" in text
    # c: 0.25, d: -0.25: mean 0, s^2 = 0.125, se = sqrt(0.125 / 2) = 0.25: 0 -+ 317.7
    assert "| math500 | +0.0 (-317.7 to +317.7) |" in text
    # (0.5 + 0) / 2 = 0.25; se = sqrt(0.5^2 + 0.25^2) / 2 = 0.27951; df = (4 + 1)^2 / (16 + 1) = 1.4706, of which
    # scipy.stats.t.ppf(0.975, 25 / 17) = 6.18811: 25 -+ 173.0
    assert "| average | +25.0 (-148.0 to +198.0) |" in text
    # pass@2 of 4 with c right: 1 - C(4 - c, 2) / 6. c: 1 to 2 right, 1/2 to 5/6; d: 4 to 3 right, 1 to 1
    # means 3/4 and 11/12; se |1 - 1/2| / 2 and |1 - 5/6| / 2; differences 1/3 and 0: mean 1/6, se 1/6
    assert "| math500 pass@2 | 75.0 ± 25.0 | 91.7 ± 8.3 |" in text
    assert "| math500 pass@2 | +16.7 (-195.1 to +228.4) |" in text
    # a: 0 to 4 right, b: 2 right, where both answers are "1": a tie
    assert "| aime24 maj@4 | 25.0 ± 25.0 | 75.0 ± 25.0 |" in text


def test_a_folder_may_have_an_equals_sign_and_the_table_a_new_folder(tmp_path, capsys):
    folders = [str(write_run(tmp_path / name, GRPO)) for name in ("lr=1e-6", "lr=2e-6")]
    assert main(["compare", *folders, "--out", str(tmp_path / "new" / "table.md")]) == 0
    text = capsys.readouterr().out
    assert "| lr=1e-6 | lr=2e-6 |" in text and (tmp_path / "new" / "table.md").read_text() == text


def test_a_run_with_itself_differs_by_nothing(tmp_path):
    folder = write_run(tmp_path / "one", GRPO)
    assert comparison([read_run(f"a={folder}"), read_run(f"b={folder}")]).count("| +0.0 (+0.0 to +0.0) |") == 9


def test_a_run_whose_responses_may_not_be_independent_is_refused(tmp_path, capsys):
    """A record from before each response had its own seed does not say of how many copies it is."""
    one, two = write_run(tmp_path / "one", GRPO), write_run(tmp_path / "two", DARO)
    path = two / "settings.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({name: value for name, value in settings.items() if name != "seeding"}))
    assert main(["compare", str(one), str(two)]) == 2
    said = capsys.readouterr().err
    assert f"seeding of {two}: got '', expected per_sample" in said and "Fix: evaluate again into another" in said
    path.write_text(json.dumps(settings | {"seeding": "one_copy"}))  # a person says that it had one copy
    assert main(["compare", str(one), str(two)]) == 0


def test_repeated_responses_are_said_first(tmp_path):
    one, two = write_run(tmp_path / "one", GRPO), write_run(tmp_path / "two", DARO)
    again = Response("1", 1.0, False, 256, "stop", digest="d")
    row = Row("a", "aime24", 5, (again,) * 4)
    with RowFile(two) as file:
        file.append(row)
    text = comparison([read_run(str(one)), read_run(str(two))])
    assert text.startswith(
        "**WARNING: responses of 256 or more tokens that repeat another one to their problem: two 3.**"
    )


def test_other_models_and_engines_may_be_compared_and_engines_are_named(tmp_path):
    one, two = write_run(tmp_path / "one", GRPO), write_run(tmp_path / "two", DARO, backend="sglang", weights="v")
    assert "different engines: sglang, vllm" in comparison([read_run(str(one)), read_run(str(two))])


def test_checkpoints_of_different_steps_are_said_first(tmp_path):
    base = write_run(tmp_path / "base", GRPO)
    early, late, other = (
        write_run(tmp_path / name, DARO, model=f"outputs/{name}/checkpoints/global_step_{step}/actor/model/huggingface")
        for name, step in (("grpo", 480), ("daro", 500), ("lipo", 500))
    )
    runs = [read_run(str(folder)) for folder in (base, early, late)]
    assert comparison(runs).startswith("**WARNING: the checkpoints are of different steps: grpo 480, daro 500.")
    assert "WARNING" not in comparison([read_run(str(folder)) for folder in (base, late, other)])


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": 1.0},
        {"top_p": 0.9},
        {"top_k": 20},
        {"response_tokens": 3072},
        {"max_model_tokens": 2048},
        {"problems": "q"},
    ],
)
def test_other_problems_or_sampling_are_refused(tmp_path, changes):
    one, two = write_run(tmp_path / "one", GRPO), write_run(tmp_path / "two", DARO, **changes)
    with pytest.raises(DaroDataError, match=rf"{next(iter(changes))} of two: got .*expected.*Fix:"):
        comparison([read_run(str(one)), read_run(str(two))])


def test_missing_rows_unfinished_runs_and_other_folders_are_refused(tmp_path, capsys):
    one = write_run(tmp_path / "one", GRPO)
    two = write_run(tmp_path / "two", {"aime24": GRPO["aime24"]})
    with pytest.raises(DaroDataError, match="rows of two: got '2 problems'"):
        comparison([read_run(str(one)), read_run(str(two))])
    unfinished = write_run(tmp_path / "three", GRPO, finished=False)
    for folder, reason in ((unfinished, "a finished run"), (tmp_path, "settings.json"), (tmp_path / "no", "settings")):
        assert main(["compare", str(one), str(folder)]) == 2
        assert reason in capsys.readouterr().err
    with pytest.raises(DaroConfigError, match="two or more runs"):
        comparison([read_run(str(one)), read_run(str(one))])


def test_a_folder_in_use_is_refused(tmp_path):
    open_folder(tmp_path / "run", SETTINGS)
    with RowFile(tmp_path / "run"), pytest.raises(DaroDataError, match="in use"):
        RowFile(tmp_path / "run").__enter__()
