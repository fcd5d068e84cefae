"""Which package may import which: the contracts of import-linter in pyproject.toml."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """import-linter's verdict on the package in this directory."""
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", LINT], cwd=root, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )


def test_every_package_imports_only_what_it_may():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_an_import_of_the_toolkit_in_the_core_is_found(tmp_path):
    shutil.copytree(ROOT / "daro_verl", tmp_path / "daro_verl", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "daro_verl/errors.py").open("a") as core:
        core.write("\n\ndef _late() -> None:\n    import daro_verl.toolkit.report\n")
    done = lint(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "daro_verl.errors -> daro_verl.toolkit.report" in done.stdout
