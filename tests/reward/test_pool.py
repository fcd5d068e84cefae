"""Workers die at deadlines, of memory and by accident; what is judged does not suffer."""

import os
import re
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daro_verl.reward.outcomes import Outcome
from daro_verl.reward.pool import Pool
from daro_verl.reward.process import RewardWorkerError
from tests.reward.processes import children, runs, wait_until, zombies

FAST = ("x+1", "1+x")
ENDLESS = ("x+1", "x+9^{9^{9^{9^9}}}")
AMPLE_S = 60.0
MEMORY_MB = 64


@pytest.fixture(scope="module")
def pool():
    with_two_workers = Pool(2, memory_mb=512)
    yield with_two_workers
    with_two_workers.close()


@pytest.fixture(scope="module")
def shared_one():
    alone = Pool(1, memory_mb=MEMORY_MB)
    yield alone
    alone.close()


@pytest.fixture
def one(shared_one):
    """A pool of one worker, which may be harmed."""
    assert shared_one.judge(*FAST, AMPLE_S) is Outcome.RIGHT
    return shared_one


def judging(pool):
    """Process ids of the processes that judge."""
    return [child for server in pool.pids() for child in children(server)]


def test_workers_start_when_they_are_needed():
    assert Pool(2, memory_mb=64).pids() == []


def test_a_deadline_kills_at_once_and_the_next_answer_is_judged(one):
    [before] = judging(one)
    start = time.monotonic()
    assert one.judge(*ENDLESS, 0.3) is Outcome.DEADLINE
    assert 0.3 <= time.monotonic() - start < 2.0
    assert one.judge(*FAST, AMPLE_S) is Outcome.RIGHT
    assert not runs(before) and len(judging(one)) == 1


def test_a_deadline_counts_from_the_start_of_the_work(pool):
    deadline_s, endless = 0.6, 6
    for _ in range(2):
        pool.judge(*FAST, AMPLE_S)
    with ThreadPoolExecutor(16) as threads:
        start = time.monotonic()
        slow = [threads.submit(pool.judge, *ENDLESS, deadline_s) for _ in range(endless)]
        fast = [threads.submit(pool.judge, *FAST, deadline_s) for _ in range(10)]
        assert [one.result() for one in fast] == [Outcome.RIGHT] * 10
        assert [one.result() for one in slow] == [Outcome.DEADLINE] * endless
    assert time.monotonic() - start > 2 * deadline_s  # so the last ones waited for longer than their deadline


def test_a_worker_killed_in_the_middle_is_replaced_and_its_answer_judged_again(one):
    [victim] = judging(one)
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(one.judge, *ENDLESS, 1.0)
        time.sleep(0.3)
        os.kill(victim, signal.SIGKILL)
        assert asked.result() is Outcome.DEADLINE
    assert one.judge(*FAST, AMPLE_S) is Outcome.RIGHT


def test_a_fork_server_killed_in_the_middle_is_replaced_and_takes_its_process_with_it(one):
    [server], [judge] = one.pids(), judging(one)
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(one.judge, *ENDLESS, 1.0)
        time.sleep(0.3)
        os.kill(server, signal.SIGKILL)
        assert asked.result() is Outcome.DEADLINE
    assert wait_until(lambda: not runs(judge))
    assert one.pids() != [server] and zombies() == []


@pytest.mark.parametrize("victims", [judging, Pool.pids], ids=["judge", "fork server"])
def test_a_worker_killed_while_it_waits_costs_nothing(one, victims):
    [victim] = victims(one)
    os.kill(victim, signal.SIGKILL)
    assert wait_until(lambda: not runs(victim))
    assert [one.judge(*FAST, AMPLE_S) for _ in range(3)] == [Outcome.RIGHT] * 3


def test_who_kills_every_worker_gets_no_verdict_but_an_answer(one):
    stop = threading.Event()

    def kill_all():
        while not stop.wait(0.02):
            for process in judging(one):
                os.kill(process, signal.SIGKILL)

    killer = threading.Thread(target=kill_all)
    killer.start()
    try:
        assert one.judge(*ENDLESS, AMPLE_S) is Outcome.LOST
    finally:
        stop.set()
        killer.join()
    assert one.judge(*FAST, AMPLE_S) is Outcome.RIGHT


def test_a_judge_may_allocate_what_the_option_says(one):
    [judge] = judging(one)
    limits = Path(f"/proc/{judge}/limits").read_text()
    [limit] = re.findall(r"Max address space +(\d+) +\1 ", limits)
    assert MEMORY_MB <= int(limit) / 2**20 < MEMORY_MB + 500


def test_running_out_of_memory_is_no_verdict():
    tight = Pool(1, memory_mb=2)
    try:
        assert tight.judge("x+1", "+".join(f"x^{{{k}}}" for k in range(150)), AMPLE_S) is Outcome.MEMORY
        assert tight.judge(*FAST, AMPLE_S) is Outcome.RIGHT
    finally:
        tight.close()


def test_verdicts_do_not_get_mixed_up(pool):
    pairs = [(f"x+{k}", f"{k + k % 2}+x") for k in range(40)]
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda pair: pool.judge(*pair, AMPLE_S), pairs))
    assert outcomes == [Outcome.WRONG if k % 2 else Outcome.RIGHT for k in range(40)]
    assert len(pool.pids()) == 2


def test_a_closed_pool_leaves_nothing_and_says_so(pool):
    processes = pool.pids() + judging(pool)
    pool.close()
    assert len(processes) == 4 and wait_until(lambda: not any(map(runs, processes)))
    with pytest.raises(RewardWorkerError, match="closed its workers"):
        pool.judge(*FAST, AMPLE_S)
