"""``python -m upstream check``: on this project's contributions, and on small ones that have one fault each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from upstream.checks import check
from upstream.contribution import FOLDER, Contribution, contributions
from upstream.lines import table

ROOT = Path(__file__).parents[2]
LICENCE = """# Copyright 2026 Bytedance Ltd. and/or its affiliates
#
# Licensed under the Apache License, Version 2.0 (the "License");
"""
TEST = """
from verl.utils.value import VALUE


def test_value():
    assert VALUE == 2
"""
PATCH = """--- a/verl/utils/value.py
+++ b/verl/utils/value.py
@@ -1,2 +1,2 @@
 # the value
-VALUE = 1
+VALUE = 2
"""
PATH = "new/tests/utils/test_value_on_cpu.py"
GOOD = {"PULL_REQUEST.md": "# [misc] fix: set the value\n", "changes.patch": PATCH, PATH: LICENCE + TEST}


@pytest.mark.slow
def test_every_contribution_passes():
    """One by one and all together; the table is in the test's output."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "upstream", "check"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def verl(tmp_path):
    """A package of this name with one value."""
    package = tmp_path / "installed" / "verl"
    (package / "utils").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "utils" / "__init__.py").touch()
    (package / "utils" / "value.py").write_text("# the value\nVALUE = 1\n")
    return package


def write(folder: Path, **changed: str) -> Contribution:
    for name, text in (GOOD | changed).items():
        path = folder / "a_contribution" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Contribution(folder / "a_contribution")


def test_a_good_contribution(tmp_path, verl):
    (result,) = check([write(tmp_path)], verl)
    assert result.details == []
    assert result.verdicts == {
        "applies": "ok",
        "fails without": "1 of 1",
        "passes with": "1",
        "rules": "ok",
        "reverts": "ok",
    }


LEAVES_A_FILE = TEST + "    from pathlib import Path\n\n    Path('verl/left.py').touch()\n"
FAULTS = {
    "applies": ({"changes.patch": PATCH.replace("VALUE = 1", "VALUE = 7")}, "patch does not apply"),
    "fails without": ({PATH: LICENCE + TEST.replace("== 2", ">= 1")}, "does not fail on plain verl"),
    "passes with": ({PATH: LICENCE + TEST.replace("== 2", "== 3")}, "test_value failed"),
    "reverts": ({PATH: LICENCE + LEAVES_A_FILE.replace("'", '"')}, "verl/left.py"),
}


@pytest.mark.parametrize("column", FAULTS)
def test_a_fault_is_found(column, tmp_path, verl):
    changed, message = FAULTS[column]
    (result,) = check([write(tmp_path, **changed)], verl)
    assert result.verdicts[column] == "FAILED"
    assert [line for line in result.details if line.startswith(f"a_contribution, {column}: ") and message in line]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        pytest.param({"PULL_REQUEST.md": "# set the value\n"}, "title: got 'set the value'", id="title"),
        pytest.param({"PULL_REQUEST.md": "# [daro] fix: x\n"}, "title: got '[daro] fix: x'", id="module"),
        pytest.param({PATH: TEST.lstrip()}, "no licence header", id="licence"),
        pytest.param({PATH: LICENCE + TEST.replace("== 2", "==2")}, "would be reformatted", id="format"),
        pytest.param({PATH: LICENCE + "import os\n" + TEST.lstrip()}, "F401", id="unused_import"),
        pytest.param({"new/docs/value.md": "# The value\n"}, "no 'Last updated'", id="docs"),
        pytest.param({"new/tests/test_value_on_cpu.py": LICENCE + TEST}, "expected tests/<module", id="place"),
        pytest.param({"changes.patch": PATCH.replace("= 2", '= 2 if "cuda" else 2')}, "device call", id="device"),
    ],
)
def test_verls_rules(changed, message, tmp_path, verl):
    (result,) = check([write(tmp_path, **changed)], verl)
    assert result.verdicts["rules"] == "FAILED"
    assert message in "\n".join(result.details)


def test_an_unknown_name_is_told():
    with pytest.raises(ValueError, match="contribution: got \\['no_such'\\], expected some of"):
        contributions(["no_such"])


def test_the_readme_has_the_present_table_of_lines():
    assert "\n".join(table(contributions())) in (FOLDER / "README.md").read_text()
