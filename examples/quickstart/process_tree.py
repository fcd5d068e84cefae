"""Run a subprocess, measure all its children, and end them. Otherwise Ray would leave processes behind."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

SECONDS_BETWEEN_MEASUREMENTS = 20


class ProcessTree:
    """Runs ``command`` in its own session. So Ctrl-C reaches only this process, and the tree ends in order."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path, directory: Path):
        self.peak_memory = 0  # bytes: largest sum of proportional set sizes seen; a shared page counts once in all
        self._members: set[psutil.Process] = set()
        self._next_measurement = 0.0  # on the monotonic clock
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command, env=environment, cwd=directory, stdout=output, stderr=output, start_new_session=True
            )
        self._root = psutil.Process(self._process.pid)

    def returncode(self) -> int | None:
        """None while the command runs."""
        return self._process.poll()

    def sample(self) -> None:
        """Record the members of the tree and, sometimes, their memory. Call this every few seconds."""
        try:
            self._members.update([self._root, *self._root.children(recursive=True)])
        except psutil.NoSuchProcess:
            return
        if time.monotonic() >= self._next_measurement:  # reading it costs the kernel about 30 ms a process
            self.peak_memory = max(self.peak_memory, sum(map(_memory, self._members)))
            self._next_measurement = time.monotonic() + SECONDS_BETWEEN_MEASUREMENTS

    def stop(self, patience: float = 20.0) -> None:
        """Interrupt the command, wait up to ``patience`` seconds, then end every remaining process by its own id."""
        self.sample()
        if self.returncode() is None:
            self._process.terminate()
        psutil.wait_procs([self._root], timeout=patience)
        for member in self._members:
            try:
                member.kill()  # psutil checks the creation time: a reused id is not touched
            except psutil.NoSuchProcess:
                continue
        self._process.wait()


def _memory(process: psutil.Process) -> int:
    """Proportional set size. It divides pages (libraries, object store) among the processes that share them."""
    try:
        return process.memory_full_info().pss
    except (psutil.Error, OSError):
        return 0
