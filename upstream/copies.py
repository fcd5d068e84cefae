"""A copy of verl, laid out like its repository, that patches and new files are put into."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from upstream.contribution import NEW, Contribution

TIMEOUT = 600  # seconds of one command
CACHES = {"__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache"}


@dataclass(frozen=True)
class Copy:
    """``root/verl`` is the copy of the package.

    Attributes:
        root: a folder of its own, outside of any git repository.
        original: what is copied, which nothing here writes to: the package, or verl's repository.
        is_package: whether only the package is there, without ``docs`` and ``tests``.
    """

    root: Path
    original: Path
    is_package: bool

    @classmethod
    def of_package(cls, installed: Path, root: Path) -> "Copy":
        """Copy the package, its compiled files too: they stay valid and spare each process their making."""
        shutil.copytree(installed, root / "verl")
        return cls(root, installed, is_package=True)

    @classmethod
    def of_repository(cls, folder: Path, root: Path) -> "Copy":
        """Copy a checkout of verl's repository."""
        shutil.copytree(folder, root, ignore=shutil.ignore_patterns(".git"), symlinks=True)
        return cls(root, folder, is_package=False)

    def add_new_files(self, contribution: Contribution, only: Iterable[Path] | None = None) -> None:
        for path in contribution.new_files if only is None else only:
            target = self.root / path
            if target.exists():
                raise FileExistsError(f"{path}: it is there already, expected a new file of {contribution.name}")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(contribution.folder / NEW / path, target)

    def apply(self, contribution: Contribution, reverse: bool = False) -> str:
        """Apply the patches that belong here; return git's complaint, empty if there is none."""
        patches = contribution.patches[:1] if self.is_package else contribution.patches
        command = ["git", "apply", *(["--reverse"] if reverse else []), *map(str, patches)]
        # Not the repository around this one: paths are relative to the copy.
        env = {**os.environ, "GIT_CEILING_DIRECTORIES": str(self.root.parent)}
        env = {name: value for name, value in env.items() if name not in ("GIT_DIR", "GIT_WORK_TREE")}
        done = subprocess.run(command, cwd=self.root, env=env, capture_output=True, text=True)
        return done.stderr.strip() if done.returncode else ""

    def remove_new_files(self, contribution: Contribution) -> None:
        """Remove them, and the folders that are empty then."""
        for path in contribution.new_files:
            target = self.root / path
            target.unlink()
            for folder in target.relative_to(self.root).parents:
                rest = {entry.name for entry in (self.root / folder).iterdir()}
                if folder == Path() or rest - CACHES:
                    break
                shutil.rmtree(self.root / folder)

    def differences(self) -> list[str]:
        """Files of the package that are not, byte for byte, those that were copied; new and lost ones too."""
        ours = _contents(self.root)
        theirs = {Path("verl") / path: file for path, file in _contents(self.original).items()}
        return sorted(
            str(path)
            for path in ours.keys() | theirs.keys()
            if path not in ours or path not in theirs or ours[path].read_bytes() != theirs[path].read_bytes()
        )

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a Python command that imports this copy, without any plugin of verl."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("VERL_")}
        env |= {"PYTHONPATH": str(self.root), "VERL_USE_EXTERNAL_PLUGINS": "none", "HF_HUB_OFFLINE": "1"}
        env["RAY_OVERRIDE_RESOURCES"] = '{"CPU": 16}'  # tests of verl that start Ray wait for ever for a third CPU
        try:
            return subprocess.run(
                [sys.executable, *command], cwd=self.root, env=env, capture_output=True, text=True, timeout=TIMEOUT
            )
        except subprocess.TimeoutExpired as hung:
            printed = "".join(part.decode() for part in (hung.stdout, hung.stderr) if isinstance(part, bytes))
            return subprocess.CompletedProcess(command, 1, printed, f"no end after {TIMEOUT} s")


def _contents(folder: Path) -> dict[Path, Path]:
    files = (path for path in folder.rglob("*") if path.is_file() and not CACHES & set(path.parts))
    return {path.relative_to(folder): path for path in files}
