"""``python -m upstream check``: on this project's contributions, and on small ones that have one fault each."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from upstream import checks
from upstream.checks import check
from upstream.contribution import FOLDER, Contribution, contributions
from upstream.copies import Copy
from upstream.lines import table

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
def test_every_contribution_passes(tmp_path):
    """All together; and alone each new test file fails on plain verl. One by one: ``python -m upstream check``."""
    chosen, installed = contributions(), Path(find_spec("verl").origin).parent
    plain = checks._without(chosen, Copy.of_package(installed, tmp_path / "plain"))
    together = checks._with(checks.TOGETHER, chosen, Copy.of_package(installed, tmp_path / "together"))
    alone = [checks.Result(contribution.name) for contribution in chosen]
    for result, contribution in zip(alone, chosen, strict=True):
        checks._add_without(result, contribution, *plain)
    assert [line for result in (together, *alone) for line in result.details] == []
    assert len(alone) >= 9 and list(together.verdicts) == ["applies", "passes with", "rules", "reverts"]


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


def test_verls_rules(tmp_path, verl):
    """All faults at once, but for a title of a module that verl does not have."""
    changed = {
        "PULL_REQUEST.md": "# set the value\n",
        PATH: "import os\n" + TEST.lstrip().replace("== 2", "==2"),
        "new/docs/value.md": "# The value\n",
        "new/tests/test_value_on_cpu.py": LICENCE + TEST,
        "changes.patch": PATCH.replace("= 2", '= 2 if "cuda" else 2'),
    }
    (result,) = check([write(tmp_path, **changed)], verl)
    assert result.verdicts["rules"] == "FAILED"
    found = "\n".join(result.details)
    for message in (
        "title: got 'set the value'",
        "no licence header",
        "would be reformatted",
        "F401",
        "no 'Last updated'",
        "expected tests/<module",
        "device call",
    ):
        assert message in found, message
    (result,) = check([write(tmp_path, **{"PULL_REQUEST.md": "# [daro] fix: x\n"})], verl)
    assert "title: got '[daro] fix: x'" in "\n".join(result.details)


def test_an_unknown_name_is_told():
    with pytest.raises(ValueError, match="contribution: got \\['no_such'\\], expected some of"):
        contributions(["no_such"])


def test_the_readme_has_the_present_table_of_lines():
    assert "\n".join(table(contributions())) in (FOLDER / "README.md").read_text()
