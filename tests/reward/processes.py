"""What the operating system says of processes."""

import os
import time
from collections.abc import Callable
from pathlib import Path


def children(process: int) -> list[int]:
    """Processes whose parent is this one, zombies too."""
    return [
        int(child)
        for task in Path(f"/proc/{process}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def runs(process: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def under(process: int) -> list[int]:
    """Children and children's children."""
    return [one for child in children(process) for one in (child, *children(child))]


def zombies() -> list[int]:
    return [child for child in children(os.getpid()) if not runs(child)]


def wait_until(holds: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether it holds within this time."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
