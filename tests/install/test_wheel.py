"""The wheel holds the package and works; its version stands in one place. ``make dist`` also installs what it needs."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from daro_verl import __version__, cli

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built of a copy, which leaves no build folder here, and with the setuptools of this environment."""
    folder, source = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("source")
    shutil.copytree(ROOT / "daro_verl", source / "daro_verl", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*build, str(source)], check=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_module_and_nothing_else(wheel):
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "daro_verl").rglob("*.py")}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name for name in names if ".dist-info/" not in name} == modules


def test_the_version_stands_in_one_place(wheel):
    assert wheel.name == f"daro_verl-{__version__}-py3-none-any.whl"
    files = [*(ROOT / "daro_verl").rglob("*.py"), ROOT / "pyproject.toml", ROOT / "setup.py"]
    holding = [file.name for file in files if f'"{__version__}"' in file.read_text()]
    assert holding == ["__init__.py"]
    assert f"\n## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_wheel_works_away_from_the_repository(wheel, tmp_path):
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path), str(wheel)]
    subprocess.run(install, check=True)
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, str(ROOT / "tests" / "install" / "smoke.py")]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"daro-verl {__version__}: {len(cli.COMMANDS)} commands, the estimator and the weights work\n"
