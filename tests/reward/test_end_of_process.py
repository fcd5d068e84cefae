"""No worker outlives the process that uses it, however that ends, and a forked copy of it gets its own."""

import signal
import subprocess
import sys

import pytest

from tests.reward.processes import runs, under, wait_until

USES_A_WORKER = r"""
import os, sys, threading, time
from daro_verl.reward.math import compute_score
def ask(answer, deadline_s):
    return compute_score("test", r"\boxed{%s}" % answer, "x+1", deadline_s=deadline_s, workers=1)
assert ask("1+x", 60.0)["acc"] == 1
"""
ENDLESS = "threading.Thread(target=ask, args=('x+9^{9^{9^{9^9}}}', 1.5), daemon=True).start()\n"
READY = "print('ready', flush=True); time.sleep(0.5)\n"
ENDINGS = {
    "returns": (READY, None),
    "leaves at once, a worker busy": (ENDLESS + READY + "os._exit(0)", None),
    "killed, a worker busy": (ENDLESS + READY + "time.sleep(60)", signal.SIGKILL),
}
FORKS = r"""
reader, writer = os.pipe()
if os.fork() == 0:
    right = ask("1+x", 60.0)["acc"] == 1
    from daro_verl.reward.pool import close_shared_pools
    close_shared_pools()
    os.write(writer, b"right" if right else b"wrong")
    os._exit(0)
assert os.read(reader, 5) == b"right"
os.wait()
assert ask("1+x", 60.0)["acc"] == 1
"""


@pytest.mark.parametrize(("ending", "by_signal"), ENDINGS.values(), ids=ENDINGS.keys())
def test_nothing_is_left(ending, by_signal):
    code = USES_A_WORKER + ending
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as user:
        assert user.stdout.readline() == b"ready\n"
        workers = under(user.pid)
        assert len(workers) == 2  # the fork server and the judge
        if by_signal:
            user.send_signal(by_signal)
        user.wait(timeout=60)
    assert wait_until(lambda: not any(map(runs, workers)))


def test_a_forked_copy_has_workers_of_its_own():
    code = USES_A_WORKER + FORKS
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
