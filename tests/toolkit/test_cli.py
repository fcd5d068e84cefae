"""The command line as a whole: what it imports, how it helps, how it fails."""

import json
import subprocess
import sys

import pytest
import typer

from daro_verl import cli
from daro_verl.errors import DaroDataError

HEAVY = {"torch", "datasets", "matplotlib", "verl", "transformers", "pandas", "rich", "pyarrow", "vllm", "ray"}
COMMANDS = ["data", "models", "recipe", "table-disk", "evaluate", "compare", "report", "layout", "doctor"]
HELPS = [["data", "train"], ["data", "test"], ["data", "gym"], ["data", "sources"], ["models", "prepare"],
         ["models", "check"], ["table-disk"], ["evaluate"], ["compare"], ["report"], ["layout", "tensorboard"],
         ["layout", "wandb"]]  # fmt: skip


def test_help_lists_every_command_and_imports_none_of_them():
    code = "import sys; from daro_verl.cli import main; code = main(['--help']); print(*sys.modules); sys.exit(code)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *text, modules = done.stdout.splitlines()
    commands = [line.split()[0] for line in text[text.index("Commands:") + 1 :] if line]
    assert commands == COMMANDS == list(cli.COMMANDS)
    assert not HEAVY & {module.partition(".")[0] for module in modules.split()}


@pytest.mark.parametrize("command", HELPS, ids=" ".join)
def test_every_command_has_help_with_an_example(command, capsys):
    assert cli.main([*command, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"Usage: daro {' '.join(command)} [OPTIONS]" in text
    (example,) = [line.strip() for line in text.splitlines() if "Example: " in line]
    assert example.startswith(f"Example: daro {' '.join(command)}")


def test_help_of_a_command_imports_no_heavy_module():
    code = "import json, sys; from daro_verl.cli import main\n"
    code += "for command in json.loads(sys.argv[1]): main([*command, '--help'])\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, json.dumps(HELPS)], capture_output=True, text=True)
    modules = {module.partition(".")[0] for module in done.stdout.splitlines()[-1].split()}
    assert done.returncode == 0 and not modules & {"torch", "datasets", "matplotlib", "verl"}


WRONG = {
    "no such command": (["dta"], "No such command 'dta'. Did you mean 'data'?"),
    "no such option": (["report", "x", "--outt", "y"], "No such option: --outt"),
    "an argument is missing": (["evaluate"], "Missing argument 'CHECKPOINT'"),
    "an option is missing": (["data", "test"], "Missing option '--out'"),
    "not a number": (
        ["models", "check", "x", "--tp", "two"],
        "Invalid value for '--tp': Input should be a valid integer",
    ),
    "out of its range": (
        ["models", "check", "x", "--tp", "0"],
        "Invalid value for '--tp': Input should be greater than or equal to 1",
    ),
    "none of the names": (["models", "prepare", "x", "y", "--recipe", "qwen"], "'qwen' is not one of auto, "),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_errors_of_the_command_line_itself(arguments, message, capsys):
    assert cli.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_an_error_of_ours_is_its_message_and_exit_code_2(monkeypatch, capsys):
    def fails() -> None:
        raise DaroDataError("model", got="nothing", expected="one", fix="name it")

    monkeypatch.setattr(typer, "fails", fails, raising=False)
    monkeypatch.setitem(cli.COMMANDS, "models", cli.Entry("typer:fails", ""))
    assert cli.main(["models"]) == 2
    assert capsys.readouterr() == ("", "model: got 'nothing', expected one. Fix: name it\n")


def test_other_errors_are_not_hidden(monkeypatch):
    def fails() -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(typer, "fails", fails, raising=False)
    monkeypatch.setitem(cli.COMMANDS, "models", cli.Entry("typer:fails", ""))
    with pytest.raises(RuntimeError, match="a bug"):
        cli.main(["models"])


def test_python_m_is_the_same_command():
    done = subprocess.run([sys.executable, "-m", "daro_verl.cli", "dta"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "") and "Usage: daro [OPTIONS]" in done.stderr
