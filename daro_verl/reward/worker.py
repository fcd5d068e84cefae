"""A worker, which judges one pair of answers at a time. It ends at its deadline or memory limit, or with its parent.

Started by :class:`~daro_verl.reward.process.WorkerProcess`: ``python -m daro_verl.reward.worker PARENT_PID MEMORY_MB``.
It consists of two processes: a fork server, which imports everything once, and a fork of it, which judges. When the
fork dies, the fork server reports the reason and forks the next one within milliseconds.

An input line is ``[id, gold, predicted, deadline_s]`` as JSON. ``predicted`` is null to ask whether the gold answer can
be read. An output line is one of:

- ``{"ready": true}``, once;
- ``{"id": id, "verdict": bool or null}``, with null if memory ran out;
- ``{"died": reason}``.
"""

import ctypes
import gc
import json
import logging
import os
import resource
import select
import signal
import sys
import warnings
from typing import Any, NoReturn, TextIO

# A worker that once held this share of its memory limit is replaced, and is not believed when it says "wrong": sympy
# and math-verify take a MemoryError for an expression that they cannot compare.
_SUSPECT_SHARE = 0.25
_PARENT_CHECK_MS = 2_000
_RETIRED, _PARENT_GONE = 3, 4
_PR_SET_PDEATHSIG = 1


def main(parent: int, memory_mb: int) -> None:
    """Run the fork server: keep a judging process until the parent is gone or its requests end."""
    _prepare_process()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not pass for a verdict
    from daro_verl.reward.judge import warm_up

    warm_up()
    gc.collect()
    gc.freeze()  # what is shared with the forks stays shared
    _send(answers, {"ready": True})
    fork_server = os.getpid()
    while True:
        child = os.fork()
        if child == 0:
            _judge_until_the_end(answers, parent, fork_server, memory_mb)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == _PARENT_GONE:
            return
        if status != _RETIRED:
            _send(answers, {"died": "deadline" if status == -signal.SIGALRM else "lost"})


def _judge_until_the_end(answers: TextIO, parent: int, fork_server: int, memory_mb: int) -> NoReturn:
    """Run the judging process. This never returns, and runs none of the fork server's exit handlers."""
    status = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _serve(answers, parent, fork_server, memory_mb)
        status = _PARENT_GONE
    except SystemExit:
        status = _RETIRED
    except BrokenPipeError:
        status = _PARENT_GONE
    finally:
        os._exit(status)


def _serve(answers: TextIO, parent: int, fork_server: int, memory_mb: int) -> None:
    from daro_verl.reward import judge

    started_with = _status_kb("self", "VmHWM")
    limit = _status_kb("self", "VmSize") * 1024 + (memory_mb << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    while (line := _next_line(parent, fork_server)) is not None:
        number, gold, predicted, deadline_s = json.loads(line)
        # The kernel counts the time and kills. No interpreter lock, library's handler or dead parent can stop it.
        signal.setitimer(signal.ITIMER_REAL, deadline_s)
        verdict = _verdict(judge, gold, predicted)
        signal.setitimer(signal.ITIMER_REAL, 0)
        suspect = (_status_kb("self", "VmHWM") - started_with) * 1024 > _SUSPECT_SHARE * (memory_mb << 20)
        _send(answers, {"id": number, "verdict": None if suspect and not verdict else verdict})
        if suspect or verdict is None:
            raise SystemExit


def _verdict(judge: Any, gold: str, predicted: str | None) -> bool | None:
    """The verdict; None if memory ran out. If an answer makes the parser raise, it is not the gold answer."""
    try:
        return bool(judge.is_readable(gold) if predicted is None else judge.judge(gold, predicted))
    except MemoryError:
        return None
    except Exception:
        return False


def _prepare_process() -> None:
    """Let alarms kill, even if the parent blocks them. Leave terminal interrupts to the parent. Write no core files."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM, signal.SIGTERM})
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)  # math-verify warns that it counts no time itself


def _next_line(parent: int, fork_server: int) -> bytes | None:
    """The newest request. No thread waits any longer for an answer to earlier ones.

    A forked copy of the parent may hold the pipe open. So this also ends when the fork server has lost its parent.
    """
    waiting, line = select.poll(), b""
    waiting.register(0, select.POLLIN)
    while not line.endswith(b"\n"):
        if not waiting.poll(_PARENT_CHECK_MS):
            if _status_kb(str(fork_server), "PPid") != parent:
                return None
            continue
        part = os.read(0, 65_536)
        if not part:
            return None
        line += part
    return line.splitlines()[-1]


def _send(answers: TextIO, message: dict[str, object]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _status_kb(process: str, field: str) -> int:
    """A number of ``/proc/<process>/status``; memory in KiB."""
    with open(f"/proc/{process}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field + ":"))


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), int(sys.argv[2]))
    except BrokenPipeError:
        os._exit(0)
