"""Devices, disk, shared memory and open files of this machine."""

import os
import resource
import shutil
from collections.abc import Sequence

from daro_verl.toolkit.doctor.lines import Line, note, ok, wrong

GB = 10**9
# Ray refuses to work on a full disk, and a checkpoint with its optimizer takes about 14 bytes per parameter.
DISK_GB = 5
# Ray's objects, NCCL and weights on their way to servers go through it. Containers have 0.06 GB by default.
SHARED_MEMORY_GB = 1
# What Ray asks for. It raises the soft limit itself, so only the hard one counts.
OPEN_FILES = 8192


def device_line(gpus: Sequence[tuple[str, int]], cpu_platform: bool) -> Line:
    """The devices on which the job will train.

    Args:
        gpus: name and bytes of memory of every CUDA device.
        cpu_platform: whether the environment sets ``VERL_PLATFORM=cpu``.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cpu = f"{len(os.sched_getaffinity(0))} cores, {memory / GB:.0f} GB of memory"
    if cpu_platform:
        if gpus:
            found = f"the CPU platform (VERL_PLATFORM=cpu): {len(gpus)} CUDA devices stay unused; {cpu}"
            return note("devices", found, "unset VERL_PLATFORM to train on them")
        return ok("devices", f"the CPU platform (VERL_PLATFORM=cpu): {cpu}")
    if gpus:
        return ok("devices", ", ".join(f"{name} ({size / GB:.0f} GB)" for name, size in gpus))
    found = f"no CUDA device: jobs run only on the CPU platform; {cpu}"
    return note("devices", found, "export VERL_PLATFORM=cpu (make quickstart sets it for you)")


def disk_line(folder: str = ".", free: int | None = None) -> Line:
    """Check the free space where the job writes its outputs."""
    free = shutil.disk_usage(folder).free if free is None else free
    if free < DISK_GB * GB:
        fix = "free some space, or use another disk; a checkpoint takes about 14 bytes per parameter"
        return wrong("disk", f"{free / GB:.1f} GB free in the working directory", f"{DISK_GB} GB or more", fix)
    return ok("disk", f"{free / GB:.0f} GB free in the working directory")


def shared_memory_line(free: int | None = None) -> Line:
    """Check the free space in ``/dev/shm``."""
    free = shutil.disk_usage("/dev/shm").free if free is None else free
    if free < SHARED_MEMORY_GB * GB:
        fix = "start the container with --shm-size=16g or --ipc=host"
        return wrong("shared memory", f"{free / GB:.2f} GB free in /dev/shm", f"{SHARED_MEMORY_GB} GB or more", fix)
    return ok("shared memory", f"{free / GB:.0f} GB free in /dev/shm")


def open_files_line(hard_limit: int | None = None) -> Line:
    """Check how many files a process may open."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1] if hard_limit is None else hard_limit
    if limit != resource.RLIM_INFINITY and limit < OPEN_FILES:
        fix = f"raise the hard limit: ulimit -Hn {OPEN_FILES} as root, or limits.conf"
        return wrong("open files", f"at most {limit} for a process", f"{OPEN_FILES} or more, as Ray requires", fix)
    return ok("open files", f"at most {'any number' if limit == resource.RLIM_INFINITY else limit} for a process")
