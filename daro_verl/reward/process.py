"""One worker, as its parent sees it."""

import itertools
import json
import os
import select
import subprocess
import sys
import time
from typing import Any

from daro_verl.errors import DaroError
from daro_verl.reward.outcomes import Outcome

# The imports take about two seconds; this allows for a node whose cores are all taken.
START_LIMIT_S = 120.0
# The worker's own timer kills it at the deadline. This is for a worker that the kernel lets neither run nor die.
_GRACE_S = 5.0


_VERDICTS = {True: Outcome.RIGHT, False: Outcome.WRONG, None: Outcome.MEMORY}


class RewardWorkerError(DaroError, RuntimeError):
    """A worker process could not be started."""


class WorkerProcess:
    """A process that runs ``daro_verl.reward.worker``. One thread at a time may use it.

    It is a plain child with two pipes, not a ``multiprocessing`` child. So it does not import the caller's main module
    again, and holds nothing of the parent's memory. Daemonic processes and any thread can start it. It ends when its
    input ends. So it outlives its parent at most by the deadline of its current pair.

    Raises:
        RewardWorkerError: the worker did not become ready. Its own message is on this process's standard error.
    """

    def __init__(self, memory_mb: int) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        command = [sys.executable, "-P", "-m", "daro_verl.reward.worker", str(os.getpid()), str(memory_mb)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environment
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests, self._answers, self._unread = self._process.stdin, self._process.stdout, b""
        self._numbers = itertools.count()
        if not (self._read(time.monotonic() + START_LIMIT_S) or {}).get("ready"):
            self.kill()
            raise RewardWorkerError(
                f"A worker of the math reward did not start within {START_LIMIT_S:.0f} s: got exit status "
                f"{self._process.returncode} (standard error has its own message), expected an installed math-verify "
                f"0.9. Fix: pip install 'math-verify[antlr4_9_3]>=0.9,<0.10' on every node"
            )

    @property
    def pid(self) -> int:
        """Process id of the fork server. The process that judges is its only child."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether the worker can be asked. If it has ended, this call collects it."""
        return self._process.poll() is None

    def judge(self, gold: str, predicted: str | None, deadline_s: float) -> Outcome:
        """The outcome of one pair, or of one gold answer. The deadline starts when the worker has read the request.

        After LOST the worker may be gone for good; see :meth:`alive`.
        """
        number, end = next(self._numbers), time.monotonic() + deadline_s + _GRACE_S
        try:
            self._requests.write(json.dumps([number, gold, predicted, deadline_s]).encode() + b"\n")
        except OSError:
            self.kill()
            return Outcome.LOST
        while (message := self._read(end)) is not None:
            # The worker may have died before it read this pair. Then a later call skips its successor's answer.
            if "died" in message:
                return Outcome(message["died"])
            if message["id"] == number:
                return _VERDICTS[message["verdict"]]
        late = time.monotonic() >= end
        self.kill()
        return Outcome.DEADLINE if late else Outcome.LOST

    def kill(self) -> None:
        """End the worker at once and collect it. Safe to call again, from any thread."""
        self._process.kill()
        self._process.wait()

    def _read(self, end: float) -> dict[str, Any] | None:
        """One message of the worker; None if it ended, or if no message came before ``end``."""
        waiting = select.poll()  # not select(), which handles only 1,024 files
        waiting.register(self._answers, select.POLLIN)
        while b"\n" not in self._unread:
            if not waiting.poll(max(0.0, end - time.monotonic()) * 1000):
                return None
            part = os.read(self._answers.fileno(), 65_536)
            if not part:
                return None
            self._unread += part
        line, _, self._unread = self._unread.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message
