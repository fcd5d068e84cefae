"""The trainer's side of the way down: one snapshot to every rollout server after every weight sync.

The trainer waits for its actor only, which must answer before its next update. A thread sends, and looks at what became
of the messages; a server that is dead, slow or of another kind costs a log line and a metric of the next sync.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterable
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import ray

from daro_verl.rollout import step_log
from daro_verl.rollout.holder import Outcome, Receipt
from daro_verl.rollout.snapshot import Snapshot

logger = logging.getLogger(__name__)

NUM_STEPS_REMEMBERED = 1000
"""Labels whose version can still be looked up: far more than trajectories are ever late."""
ANSWER_SECONDS = 5.0
"""After which a message counts as late; the thread waits so long, the trainer does not."""
OUTCOMES = tuple(f"daro/exchange/{name}" for name in ("confirmed", "refused", "failed", "late"))

_sent: dict[int, Snapshot] = {}
_exchanges: "WeakKeyDictionary[Any, Exchange]" = WeakKeyDictionary()


def newest_sent() -> Snapshot | None:
    """The snapshot that was sent last by this process."""
    sent = list(_sent.values())
    return sent[-1] if sent else None


def version_of_step(global_step: int) -> int | None:
    """The version that was sent with the model of this label; None if this process did not send it."""
    snapshot = _sent.get(global_step)
    return None if snapshot is None else snapshot.version


@dataclass
class _Message:
    """A snapshot on its way to one server."""

    server: str
    snapshot: Snapshot
    answer: ray.ObjectRef


class Exchange:
    """Messages of one of verl's ``CheckpointEngineManager`` to the servers of its replicas, from a thread of its own.

    Attributes:
        on_the_way: messages that were not answered when they were last looked at.
    """

    def __init__(self) -> None:
        self.on_the_way: list[_Message] = []
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="daro-exchange")
        self._sendings: list[Future[dict[str, float]]] = []

    def send(self, message: bytes, servers: dict[str, Any]) -> None:
        """Send to all servers, in the thread.

        Args:
            message: of the actor, :meth:`Snapshot.to_bytes <daro_verl.rollout.snapshot.Snapshot.to_bytes>`.
            servers: Ray handles by name, each with ``receive_difficulty``.
        """
        snapshot = Snapshot.from_bytes(message)
        _remember(snapshot)
        self._sendings.append(self._thread.submit(self._send_and_settle, snapshot, message, servers))

    def finished(self) -> dict[str, float]:
        """Metrics of the messages sent before, as far as they are known; each once. See :meth:`_settle`."""
        done = [sending for sending in self._sendings if sending.done()]
        self._sendings = [sending for sending in self._sendings if not sending.done()]
        counts = Counter(dict.fromkeys(OUTCOMES, 0.0))
        for sending in done:
            counts.update(sending.result())
        return dict(counts)

    def wait(self) -> None:
        """Until all messages are answered or late."""
        futures.wait(self._sendings)

    def _send_and_settle(self, snapshot: Snapshot, message: bytes, servers: dict[str, Any]) -> dict[str, float]:
        for name, server in servers.items():
            self.on_the_way.append(_Message(name, snapshot, server.receive_difficulty.remote(message)))
        return self._settle()

    def _settle(self) -> dict[str, float]:
        """Numbers of servers by what became of their message, under ``daro/exchange/``.

        ``confirmed``: shows exactly the bits that were sent; ``refused``: kept something else; ``failed``: is dead;
        ``late``: has not answered in ``ANSWER_SECONDS``, and is looked at again after the next sync.
        """
        counts = Counter(dict.fromkeys(OUTCOMES, 0.0))
        messages, self.on_the_way = self.on_the_way, []
        answers = [message.answer for message in messages]
        answered = set(ray.wait(answers, num_returns=len(answers), timeout=ANSWER_SECONDS)[0])
        for message in messages:
            if message.answer in answered:
                counts[f"daro/exchange/{_outcome(message)}"] += 1
            else:
                counts["daro/exchange/late"] += 1
                self.on_the_way.append(message)
                logger.warning("%s has not confirmed difficulty weights: %s.", message.server, _named(message))
        return dict(counts)


def exchange_of(manager: Any) -> Exchange:
    """The exchange of one of verl's ``CheckpointEngineManager``; lives as long as that."""
    if manager not in _exchanges:
        _exchanges[manager] = Exchange()
    return _exchanges[manager]


def exchange_after_sync(manager: Any, global_step: int | None) -> None:
    """Send the actor's difficulty weights to the servers that have just got its model.

    Metrics under ``daro/exchange/``, added up over the syncs of a step: ``sent`` (messages), ``bytes`` (of all of
    them), ``milliseconds`` (of the trainer's time), and :meth:`Exchange.finished` for the messages before.

    Args:
        manager: verl's ``CheckpointEngineManager``.
        global_step: verl's label of the model; None where verl sends one again under the label that it has.
    """
    servers = servers_of(manager.replicas)
    if global_step is None or not servers:
        return
    start = time.perf_counter()
    exchange = exchange_of(manager)
    metrics = exchange.finished()
    message = manager.actor_wg.difficulty_snapshot(global_step)
    exchange.send(message, servers)
    metrics["daro/exchange/sent"] = float(len(servers))
    metrics["daro/exchange/bytes"] = float(len(servers) * len(message))
    metrics["daro/exchange/milliseconds"] = 1000 * (time.perf_counter() - start)
    step_log.add(metrics)


def servers_of(replicas: Iterable[Any]) -> dict[str, Any]:
    """The servers of verl's replicas that take difficulty weights, by name: those that answer requests.

    Classes that DARO has no counterpart of (disaggregated prefill and decode, TensorRT-LLM) do not.
    """
    servers = {f"replica {replica.replica_rank}": replica.server_handle for replica in replicas}
    return {name: server for name, server in servers.items() if hasattr(server, "receive_difficulty")}


def _outcome(message: _Message) -> str:
    try:
        receipt: Receipt = ray.get(message.answer)
    except ray.exceptions.RayError as error:
        logger.warning("%s got no difficulty weights (%s): %s", message.server, _named(message), error)
        return "failed"
    if receipt.digest == message.snapshot.digest() and receipt.outcome in (Outcome.ACCEPTED, Outcome.DUPLICATE):
        return "confirmed"
    logger.warning("%s keeps other difficulty weights (%s): %s", message.server, receipt.outcome, _named(message))
    return "refused"


def _named(message: _Message) -> str:
    return f"version {message.snapshot.version} of step {message.snapshot.global_step}"


def _remember(snapshot: Snapshot) -> None:
    _sent.pop(snapshot.global_step, None)
    _sent[snapshot.global_step] = snapshot
    while len(_sent) > NUM_STEPS_REMEMBERED:
        del _sent[next(iter(_sent))]
