"""Versions that are written down twice agree: in pyproject.toml, in code and in the doctor's answers."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from daro_verl.compatibility import SUPPORTED_VERL

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {name: list(map(Requirement, lines)) for name, lines in PROJECT["optional-dependencies"].items()}


def test_verls_range_is_the_one_that_the_plugin_loads_with():
    ranges = {str(one.specifier) for requires in EXTRAS.values() for one in requires if one.name == "verl"}
    assert {SpecifierSet(one) for one in ranges} == {SUPPORTED_VERL}


def test_the_version_of_sglang_that_make_installs_is_verls():
    [made] = set(re.findall(r"sglang==([\d.]+)", (ROOT / "Makefile").read_text()))
    assert f"sglang=={made}\n" in (ROOT / "tests" / "install" / "verl_0.9.1.txt").read_text()


def test_hints_name_extras_that_exist_and_no_published_package():
    """daro-verl is installed from its clone: ``pip install -e ".[data]"``."""
    files = [*(ROOT / "daro_verl").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    for file in files:
        text = file.read_text()
        assert "pip install daro-verl" not in text and "daro-verl[" not in text, file
        for extras in re.findall(r'pip install [^\n]*"\.\[([\w,-]+)\]', text):
            assert set(extras.split(",")) <= EXTRAS.keys(), (file, extras)
