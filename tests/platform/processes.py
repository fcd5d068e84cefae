"""Child processes of the tests: the platform patches a process for good, so no test activates it in its own."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]


def run(args: list[str], timeout: int, verl_platform: str | None = "cpu", cwd: Path | None = None, **env: str) -> str:
    """Run ``python args`` without verl's plugins and return its standard output; fail with all of its output."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("VERL_", "VLLM_", "RAY_", "OMP_", "TORCH"))}
    inherited |= {"PYTHONPATH": str(PROJECT), "VERL_USE_EXTERNAL_PLUGINS": "none", **env}
    if verl_platform is not None:
        inherited["VERL_PLATFORM"] = verl_platform
    command = [sys.executable, *args]
    done = subprocess.run(command, env=inherited, timeout=timeout, text=True, capture_output=True, cwd=cwd)
    assert done.returncode == 0, f"{args} ended with {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-8000:]}"
    return done.stdout


def run_code(code: str, verl_platform: str | None = "cpu", **env: str) -> str:
    return run(["-c", code], 120, verl_platform, **env)


def train(model: Path, out: Path, num_ranks: int, *options: str) -> list[dict]:
    """Run ``train_ranks.py`` with torchrun and return the results of its ranks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torchrun = ["-m", "torch.distributed.run", f"--nproc_per_node={num_ranks}", f"--master_port={port}"]
    run([*torchrun, str(HERE / "train_ranks.py"), f"--model={model}", f"--out={out}", *options], 240)
    return json.loads(out.read_text())
