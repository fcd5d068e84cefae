"""A model directory that this command makes. It is built beside its place, renamed once, and has a manifest."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from daro_verl.errors import DaroDataError

MANIFEST = "daro_model.json"
MADE_BY = "daro_verl.models"


def manifest(directory: Path) -> dict[str, Any] | None:
    """The manifest of this command; None if the directory has none."""
    try:
        value = json.loads((directory / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) and value.get("made_by") == MADE_BY else None


def describe(directory: Path) -> dict[str, str]:
    """The target of each link, and the digest of each other file. The manifest is left out."""
    files = sorted(path for path in directory.rglob("*") if path.is_symlink() or not path.is_dir())
    return {str(path.relative_to(directory)): _describe(path) for path in files if path.name != MANIFEST}


def is_whole(directory: Path, fingerprint: str) -> bool:
    """Whether the directory is the result of these arguments, with every file unchanged."""
    found = manifest(directory)
    if found is None or found.get("fingerprint") != fingerprint or found.get("files") != describe(directory):
        return False
    return all(path.exists() for path in directory.iterdir())  # False for a link whose target is gone


def refuse_foreign(directory: Path) -> None:
    """Refuse a directory that this command did not make, or to which files were added.

    Raises:
        DaroDataError: the directory has files that this command did not write.
    """
    if not (directory.exists() or directory.is_symlink()):
        return
    found = manifest(directory) if directory.is_dir() and not directory.is_symlink() else None
    fix = "choose another DST, or move the directory away"
    if found is None:
        raise DaroDataError(str(directory), got="not made by this command", expected="a new directory", fix=fix)
    if added := sorted(set(describe(directory)) - set(found["files"])):
        got = f"files that this command did not write: {', '.join(added[:5])}"
        raise DaroDataError(str(directory), got=got, expected="only its own files", fix=fix)


class NewDirectory:
    """A context that makes a directory, which gets its name when it is complete. After an error, nothing is left."""

    def __init__(self, destination: Path) -> None:
        self.destination = destination
        self.directory = destination.with_name(f".{destination.name}.partial")

    def __enter__(self) -> "NewDirectory":
        self.destination.parent.mkdir(parents=True, exist_ok=True)
        if self.directory.exists() and any(self.directory.iterdir()) and manifest(self.directory) is None:
            got, expected = "files of another program", "unfinished work of this command"
            raise DaroDataError(str(self.directory), got=got, expected=expected, fix="move the directory away")
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir()
        self.write(MANIFEST, {"made_by": MADE_BY})  # so that a killed run is known as ours
        return self

    def write(self, name: str, content: dict[str, Any] | str) -> None:
        text = content if isinstance(content, str) else json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        (self.directory / name).write_text(text)

    def finish(self, values: dict[str, Any]) -> None:
        """Write the manifest, and replace an older result."""
        self.write(MANIFEST, {"made_by": MADE_BY, **values, "files": describe(self.directory)})
        old = self.destination.with_name(f".{self.destination.name}.old")
        if old.exists() and manifest(old) is None:
            got, expected = "files of another program", "an older result of this command"
            raise DaroDataError(str(old), got=got, expected=expected, fix="move the directory away")
        shutil.rmtree(old, ignore_errors=True)
        if self.destination.exists():
            self.destination.rename(old)
        self.directory.rename(self.destination)
        shutil.rmtree(old, ignore_errors=True)

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)


def _describe(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    return f"sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}"
