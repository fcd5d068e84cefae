"""A worker process: judges one pair of answers at a time, and dies at its deadline, of its memory, or with its parent.

Started by :class:`~daro_verl.reward.process.WorkerProcess`: ``python -m daro_verl.reward.worker PARENT_PID MEMORY_MB``.
A line in is ``[gold, predicted, deadline_s]`` as JSON; a line out is ``{"verdict": bool or null, "retire": bool}``. The
first line out, ``{"ready": true}``, says that the imports are done.
"""

import json
import logging
import os
import resource
import select
import signal
import sys
import warnings

# A worker that once held this share of its memory limit is replaced, and is not believed when it says "wrong": sympy
# and math-verify take a MemoryError for an expression that they cannot compare.
_SUSPECT_SHARE = 0.25
_PARENT_CHECK_MS = 2_000


def main(parent: int, memory_mb: int) -> None:
    """Serve until standard input ends, the parent is gone, or a line cannot be read."""
    _prepare_signals()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not pass for a verdict
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)  # math-verify warns that nobody counts the time
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from daro_verl.reward.judge import judge

    judge("x+1", "1+x")  # the first call builds tables, which no answer should pay for
    started_with = _status_kb("VmHWM")
    limit = _status_kb("VmSize") * 1024 + (memory_mb << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    _send(answers, {"ready": True})
    while (line := _next_line(parent)) is not None:
        gold, predicted, deadline_s = json.loads(line)
        # The kernel counts and kills: no interpreter lock, no library's handler and no dead parent can stop it.
        signal.setitimer(signal.ITIMER_REAL, deadline_s)
        verdict = _verdict(judge, gold, predicted)
        signal.setitimer(signal.ITIMER_REAL, 0)
        suspect = (_status_kb("VmHWM") - started_with) * 1024 > _SUSPECT_SHARE * (memory_mb << 20)
        _send(answers, {"verdict": None if suspect and not verdict else verdict, "retire": suspect or verdict is None})
        if suspect or verdict is None:
            return


def _verdict(judge, gold: str, predicted: str) -> bool | None:  # type: ignore[no-untyped-def]
    """None if memory ran out. An answer that makes the parser raise is not the gold answer."""
    try:
        return judge(gold, predicted)
    except MemoryError:
        return None
    except Exception:
        return False


def _prepare_signals() -> None:
    """Alarms kill, whatever the parent did with them; an interrupt at the terminal is for the parent."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM, signal.SIGTERM})
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _next_line(parent: int) -> bytes | None:
    """The next request. A forked copy of the parent may hold the pipe open, so its process id is looked at too."""
    waiting = select.poll()
    waiting.register(0, select.POLLIN)
    while not waiting.poll(_PARENT_CHECK_MS):
        if os.getppid() != parent:
            return None
    return sys.stdin.buffer.readline() or None


def _send(answers, message: dict[str, object]) -> None:  # type: ignore[no-untyped-def]
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _status_kb(field: str) -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field + ":"))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
