"""The parent's end of one worker process."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from enum import Enum

from daro_verl.errors import DaroError

# The imports take about a second; this allows for a node whose cores are all taken.
START_LIMIT_S = 120.0
# The worker's own timer kills it at the deadline; this is for one that the kernel does not let run or die.
_GRACE_S = 5.0


class Outcome(Enum):
    """What came of one pair."""

    RIGHT = "right"
    WRONG = "wrong"
    DEADLINE = "deadline"
    MEMORY = "memory"
    LOST = "lost"  # the worker ended, and neither of the limits did it


class RewardWorkerError(DaroError, RuntimeError):
    """A worker process could not be started."""


class WorkerProcess:
    """A ``daro_verl.reward.worker`` in a process of its own; one thread at a time may use it.

    A plain child with two pipes, not a ``multiprocessing`` one: it does not import the caller's main module again, may
    be started by daemonic processes and from any thread, and holds nothing of the parent's memory. It ends at the end
    of its input, so it does not outlive its parent by more than the deadline of the pair that it is at.

    Raises:
        RewardWorkerError: it did not get ready; the message has the end of what it printed.
    """

    def __init__(self, memory_mb: int) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        command = [sys.executable, "-P", "-m", "daro_verl.reward.worker", str(os.getpid()), str(memory_mb)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environment
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout
        if not (self._read_line(START_LIMIT_S) or {}).get("ready"):
            self.kill()
            raise RewardWorkerError(
                f"A worker of the math reward did not start within {START_LIMIT_S:.0f} s (exit status "
                f"{self._process.returncode}; its own message is in this process's standard error). Fix: "
                f"pip install 'math-verify[antlr4_9_3]>=0.9,<0.10' on every node"
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        """Whether the process still runs; one that does not is collected by this call."""
        return self._process.poll() is None

    def judge(self, gold: str, predicted: str, deadline_s: float) -> tuple[Outcome, bool]:
        """``(outcome, usable)`` of one pair; the deadline counts from when the worker has read it.

        Where ``usable`` is false the process has ended and its exit status was collected: there is no zombie.
        """
        request = json.dumps([gold, predicted, deadline_s]).encode() + b"\n"
        try:
            self._requests.write(request)
        except OSError:
            return self._outcome_of_death(late=False), False
        answer = self._read_line(deadline_s + _GRACE_S)
        if answer is None:
            late = self._process.poll() is None and not self._ended_within(1.0)
            return self._outcome_of_death(late), False
        if answer["retire"]:
            self.kill()
        outcome = {True: Outcome.RIGHT, False: Outcome.WRONG, None: Outcome.MEMORY}[answer["verdict"]]
        return outcome, not answer["retire"]

    def kill(self) -> None:
        """End the process at once and collect it. Safe to call again, from any thread."""
        self._process.kill()
        self._process.wait()
        self._requests.close()
        self._answers.close()

    def _outcome_of_death(self, late: bool) -> Outcome:
        self.kill()
        if late or self._process.returncode == -signal.SIGALRM:
            return Outcome.DEADLINE
        return Outcome.LOST

    def _ended_within(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _read_line(self, limit_s: float) -> dict[str, bool | None] | None:
        """One message of the worker; None if it ended, or sent nothing in time."""
        waiting, line, end = select.poll(), b"", time.monotonic() + limit_s  # not select(), which knows 1,024 files
        waiting.register(self._answers, select.POLLIN)
        while not line.endswith(b"\n"):
            if not waiting.poll(max(0.0, end - time.monotonic()) * 1000):
                return None
            part = os.read(self._answers.fileno(), 65_536)
            if not part:
                return None
            line += part
        message: dict[str, bool | None] = json.loads(line)
        return message
