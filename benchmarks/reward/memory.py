"""Memory of this process and of the reward's workers. It is proportional: shared pages count only once."""

import os
from collections.abc import Iterable
from pathlib import Path


def resident_mb() -> float:
    """Resident memory of this process, MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def workers_mb(servers: Iterable[int]) -> float:
    """Proportional set size of workers, each a fork server and the processes that it forked, MiB."""
    return sum(_proportional_mb(pid) for server in servers for pid in (server, *_children(server)))


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _proportional_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
