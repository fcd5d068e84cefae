"""A process that parses answers with math-verify, a line of JSON for each, and is killed if one takes too long."""

import json
import select
import subprocess
import sys
import time
from collections.abc import Sequence

MEMORY = 4 << 30  # bytes; an answer such as 10^(10^10) would take all there is
START_DEADLINE = 120.0  # seconds until the process has imported what it needs, on a busy machine
COMMAND = (sys.executable, "-m", "daro_verl.data.gold_process")


class GoldProcess:
    """Asks the process, and starts another one after a kill.

    Args:
        deadline: seconds for one answer, from the moment at which the process has it.
        command: of the process.
    """

    def __init__(self, deadline: float, command: Sequence[str] = COMMAND) -> None:
        self._deadline, self._command = deadline, command
        self._process: subprocess.Popen[bytes] | None = None

    def reason(self, text: str) -> str | None:
        """Why math-verify cannot use this answer; None if it can."""
        process = self._running()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(text).encode() + b"\n")
            process.stdin.flush()
            line = _read_line(process, self._deadline)
        except (BrokenPipeError, EOFError):
            self.stop()
            return "ends the process that parses it"
        except TimeoutError:
            self.stop()
            return f"takes more than {self._deadline:g} s"
        answer: str | None = json.loads(line)
        return answer

    def stop(self) -> None:
        """Kill the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.stop()
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
            _read_line(self._process, START_DEADLINE)  # it says that it is ready
        return self._process


def _read_line(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """A whole line of the process.

    Raises:
        TimeoutError: it did not come in time.
        EOFError: the process ended.
    """
    assert process.stdout is not None
    end, line = time.monotonic() + deadline, b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            raise TimeoutError
        part = process.stdout.read(1 << 16)
        if not part:
            raise EOFError
        line += part
    return line


def _reason(text: str) -> str | None:
    """In the process: an answer is good if math-verify reads something in it that equals itself."""
    from math_verify import verify

    parsed = next(filter(None, map(_parsed, _readings(text))), None)
    if parsed is None:
        return "math-verify reads nothing in it"
    if not verify(parsed, parsed, allow_set_relation_comp=True, timeout_seconds=None):
        return "math-verify does not find it equal to itself"
    return None


def _readings(text: str) -> list[str]:
    """The answer, then without percent signs, then what follows its last equals sign."""
    bare = text.replace("\\%", "").replace("%", "").strip()
    return [text, bare, bare.rpartition("=")[2].strip()]


def _parsed(text: str) -> list:
    from math_verify import parse

    return parse(f"\\boxed{{{text}}}", fallback_mode="no_fallback", parsing_timeout=None) if text else []


def _serve() -> None:
    import logging
    import os
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what libraries print does not get among the answers
    logging.disable(logging.CRITICAL)
    _reason("1+1")  # imports and caches
    out.write(b"null\n")
    for line in sys.stdin.buffer:
        try:
            answer = _reason(json.loads(line))
        except Exception as error:
            answer = f"math-verify fails: {type(error).__name__}"
        out.write(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    _serve()
