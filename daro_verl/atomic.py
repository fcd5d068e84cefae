"""Write complete files: a reader finds the old or the new content, even after a crash or a power failure."""

import os
from pathlib import Path


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write ``content`` (text as UTF-8) under ``path``, in place of what is there.

    A crash leaves at most a file ``<name>.partial`` beside it, which the next call overwrites. Two processes must not
    write the same path at the same time.
    """
    partial = partial_path(path)
    partial.write_bytes(content.encode() if isinstance(content, str) else content)
    publish(partial, path)


def partial_path(path: Path) -> Path:
    """The path at which a file is written before :func:`publish` gives it its name."""
    return path.with_name(f"{path.name}.partial")


def publish(partial: Path, path: Path) -> None:
    """Give a finished file its name, in one rename. When this returns, the file and its name are on the disk."""
    _sync(partial)
    os.replace(partial, path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Flush a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
