"""A few worker processes, shared by the threads of one process."""

import atexit
import os
import threading

from daro_verl.reward.outcomes import Outcome
from daro_verl.reward.process import RewardWorkerError, WorkerProcess

_START_ATTEMPTS = 3
_ATTEMPTS = 2  # a pair whose worker was lost is judged once more: another program may have killed the worker


class Pool:
    """At most ``size`` workers. Each starts when it is first needed, and is replaced when it dies.

    A thread that calls :meth:`judge` has one worker for itself until its pair is decided. Other threads wait for a
    worker, and their deadlines do not run while they wait. The pool has no thread and no queue of its own.
    """

    def __init__(self, size: int, memory_mb: int) -> None:
        self._memory_mb = memory_mb
        self._slots = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[WorkerProcess] = []
        self._all: set[WorkerProcess] = set()
        self._closed = False

    def judge(self, gold: str, predicted: str | None, deadline_s: float) -> Outcome:
        """Ask a worker about two normalised answers (:func:`daro_verl.reward.judge.judge`).

        If ``predicted`` is None, ask whether the gold answer is readable (:func:`daro_verl.reward.judge.is_readable`).

        Raises:
            RewardWorkerError: no worker can be started, or the pool is closed.
        """
        with self._slots:
            for _ in range(_ATTEMPTS):
                worker = self._acquire()
                try:
                    outcome = worker.judge(gold, predicted, deadline_s)
                except BaseException:
                    self._discard(worker)  # an interrupted exchange: half a line may be under way
                    raise
                self._release(worker)
                if outcome is not Outcome.LOST:
                    break
        return outcome

    def pids(self) -> list[int]:
        """Process ids of the workers that are alive, or whose death was not noticed yet."""
        with self._lock:
            return [worker.pid for worker in self._all]

    def close(self) -> None:
        """Kill all workers and collect them. A thread that waits for a worker gets a RewardWorkerError."""
        with self._lock:
            self._closed, workers = True, list(self._all)
        for worker in workers:
            self._discard(worker)

    def _acquire(self) -> WorkerProcess:
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.alive():
                    return worker
                self._all.discard(worker)
                worker.kill()
        return self._start()

    def _start(self) -> WorkerProcess:
        for attempt in range(_START_ATTEMPTS):
            try:
                worker = WorkerProcess(self._memory_mb)
                break
            except RewardWorkerError:
                if attempt == _START_ATTEMPTS - 1:
                    raise
        with self._lock:
            if not self._closed:
                self._all.add(worker)
                return worker
        worker.kill()
        raise RewardWorkerError("The math reward was called after this process closed its workers")

    def _release(self, worker: WorkerProcess) -> None:
        with self._lock:
            if worker in self._all:
                self._idle.append(worker)

    def _discard(self, worker: WorkerProcess) -> None:
        with self._lock:
            self._all.discard(worker)
            self._idle = [idle for idle in self._idle if idle is not worker]
        worker.kill()


_pools: dict[tuple[int, int], Pool] = {}
_pools_lock = threading.Lock()


def shared_pool(size: int, memory_mb: int) -> Pool:
    """The process's pool of this size and memory limit. The first call makes it; it closes at exit."""
    with _pools_lock:
        return _pools.setdefault((size, memory_mb), Pool(size, memory_mb))


def close_shared_pools() -> None:
    """Kill the workers of every shared pool. The next call of :func:`shared_pool` makes a new pool."""
    with _pools_lock:
        pools = list(_pools.values())
        _pools.clear()
    for pool in pools:
        pool.close()


def _forget_after_fork() -> None:
    """Forget the pools in a forked child. The workers and their pipes belong to the parent, and the lock may too."""
    global _pools_lock
    _pools_lock = threading.Lock()
    _pools.clear()


atexit.register(close_shared_pools)
os.register_at_fork(after_in_child=_forget_after_fork)
