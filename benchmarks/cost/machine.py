"""The machine of the figures: versions, commit, processor and load."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[2]
PACKAGES = ("verl", "megatron-core", "torch", "daro-verl")


def describe() -> dict[str, Any]:
    """Call before and after a part: the load average is that of the last minute."""
    return {
        "commit": commit(),
        "versions": {name: version(name) for name in PACKAGES} | {"python": platform.python_version()},
        "machine": f"{processor()}, {len(os.sched_getaffinity(0))} cores",
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "load average": os.getloadavg()[0],
    }


def commit() -> str:
    """Of the package that was measured; with ``+`` where the package differs from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--", "daro_verl")
    return (git("rev-parse", "--short=10", "HEAD") or "unknown") + ("+" if changed else "")


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
