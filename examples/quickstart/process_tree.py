"""A subprocess with everything that it starts: its memory, and its end. Ray leaves processes behind otherwise."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

SECONDS_BETWEEN_MEASUREMENTS = 20


class ProcessTree:
    """Runs ``command`` in a session of its own, so that Ctrl-C reaches only us and the tree ends in order."""

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
        """Note the members of the tree and, now and then, the memory they take. To be called every few seconds."""
        try:
            self._members.update([self._root, *self._root.children(recursive=True)])
        except psutil.NoSuchProcess:
            return
        if time.monotonic() >= self._next_measurement:  # reading it costs the kernel about 30 ms a process
            self.peak_memory = max(self.peak_memory, sum(map(_memory, self._members)))
            self._next_measurement = time.monotonic() + SECONDS_BETWEEN_MEASUREMENTS

    def stop(self, patience: float = 20.0) -> None:
        """Interrupt the command, give it ``patience`` seconds to end, then end what is left, each by its own id."""
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
    """Proportional set size: pages that several processes share (libraries, object store) are divided among them."""
    try:
        return process.memory_full_info().pss
    except (psutil.Error, OSError):
        return 0
