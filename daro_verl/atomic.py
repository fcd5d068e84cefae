"""Files that are there whole or not at all, also after a hard kill or a power cut."""

import os
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Replace ``path`` by ``content``: a temporary file beside it, sync, rename, sync of the folder."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    write_and_sync(temporary, content)
    os.replace(temporary, path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_and_sync(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write ``content`` and wait until the disk has it."""
    with Path(path).open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
