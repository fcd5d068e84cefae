"""One start of the job: two processes in their own process group, and one signal that ends both."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.interruptions.journal import read_journal

NUM_RANKS = 2
ROOT = Path(__file__).parents[2]
# Not -m: in its first save Megatron starts a process that imports the main module again, here with all of verl.
PROGRAM = "from benchmarks.interruptions.job import main; main()"


class JobProcesses:
    """Started when made. torchrun's agent puts every rank into a session of its own, which no single signal reaches;
    here the ranks share one group, so SIGKILL takes both and what they forked at the same moment."""

    def __init__(self, arguments: Sequence[str], journal: Path) -> None:
        self.journal = journal
        self.log = journal.with_suffix(".log")
        command = [sys.executable, "-c", PROGRAM, "--journal", str(journal), *arguments]
        common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": str(NUM_RANKS)}
        common |= {"LOCAL_WORLD_SIZE": str(NUM_RANKS), "VERL_PLATFORM": "cpu", "OMP_NUM_THREADS": "1"}
        self._group = 0  # the first process leads the group
        self._processes = []
        with self.log.open("wb") as output:
            for rank in map(str, range(NUM_RANKS)):
                environment = {**os.environ, **common, "RANK": rank, "LOCAL_RANK": rank}
                streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
                process = subprocess.Popen(command, env=environment, cwd=ROOT, process_group=self._group, **streams)
                self._group = self._group or process.pid
                self._processes.append(process)

    def lines(self) -> list[dict[str, Any]]:
        return read_journal(self.journal)

    def running(self) -> bool:
        """False after the end of all ranks.

        Raises:
            RuntimeError: a rank failed by itself; the others are ended first.
        """
        codes = [process.poll() for process in self._processes]
        if any(code not in (None, 0, -signal.SIGKILL) for code in codes):
            self.kill()
            raise RuntimeError(f"the job failed with {codes}, see {self.log}:\n{self.log.read_text()[-3000:]}")
        return None in codes

    def kill(self) -> None:
        """SIGKILL to the whole group. The group exists until its last process is waited for, which happens here."""
        os.killpg(self._group, signal.SIGKILL)
        for process in self._processes:
            process.wait()

    def wait(self, timeout: float) -> None:
        """Until the job has ended by itself.

        Raises:
            RuntimeError: it failed, or still runs after ``timeout`` seconds.
        """
        end = time.monotonic() + timeout
        while self.running():
            if time.monotonic() > end:
                self.kill()
                raise RuntimeError(f"the job did not end in {timeout:.0f} s, see {self.log}")
            time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
