"""Snapshots on their way to the rollout servers, and what became of them.

A thread sends at once and waits for nobody; answers are looked at after the next sync. A server that is dead or slow
costs a log line and a metric, and no other server anything.
"""

import logging
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from daro_verl.rollout.holder import Outcome, Receipt
from daro_verl.rollout.snapshot import Snapshot

logger = logging.getLogger(__name__)

METRICS = tuple(f"daro/exchange/{name}" for name in ("confirmed", "refused", "failed", "late", "new"))


@dataclass
class _Message:
    """A snapshot on its way to one server."""

    server: str
    snapshot: Snapshot
    answer: Future[Receipt]


class Messages:
    """Messages of one of verl's ``CheckpointEngineManager`` to the servers of its replicas, from a thread of its own.

    Attributes:
        first, last: snapshots that were sent; None before the first one.
    """

    def __init__(self) -> None:
        self.first: Snapshot | None = None
        self.last: Snapshot | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="daro-exchange")
        self._sendings: list[Future[list[_Message]]] = []

    def send(self, snapshot: Snapshot, servers: dict[str, Any]) -> None:
        """Send to all servers, in the thread.

        Args:
            snapshot: of the actor.
            servers: Ray handles by name, each with ``receive_difficulty``.
        """
        self.first, self.last = self.first or snapshot, snapshot
        self._sendings.append(self._thread.submit(_send, snapshot, servers))

    def settle(self) -> dict[str, float]:
        """What became of the messages sent since the last call, each once: numbers under ``daro/exchange/``.

        Waits for nothing. ``confirmed``: the server shows exactly the bits that were sent; ``refused``: it keeps
        something else; ``failed``: it is dead; ``late``: it has not answered, and a newer message is about to replace
        this one. These add up to what was sent. ``new``: servers whose first snapshot it was.
        """
        counts = dict.fromkeys(METRICS, 0.0)
        sent = [sending for sending in self._sendings if sending.done()]
        self._sendings = [sending for sending in self._sendings if not sending.done()]
        for message in (message for sending in sent for message in sending.result()):
            outcome, is_new = _outcome(message)
            counts[f"daro/exchange/{outcome}"] += 1
            counts["daro/exchange/new"] += is_new
            if is_new:
                level = logging.INFO if message.snapshot is self.first else logging.WARNING
                logger.log(level, "%s is new or starts again, with %s.", message.server, _named(message))
        return counts

    def wait(self, seconds: float | None = None) -> None:
        """Until all messages are answered, at most so long. Nothing in a job waits."""
        futures.wait(self._sendings)
        futures.wait([message.answer for sending in self._sendings for message in sending.result()], seconds)


def _send(snapshot: Snapshot, servers: dict[str, Any]) -> list[_Message]:
    message, messages = snapshot.to_bytes(), []
    for name, server in servers.items():
        try:
            answer = server.receive_difficulty.remote(message).future()
        except Exception as error:  # Ray does not take the call
            answer = Future()
            answer.set_exception(error)
        messages.append(_Message(name, snapshot, answer))
    return messages


def _outcome(message: _Message) -> tuple[str, bool]:
    """What became of a message, with a log line, and whether it was its server's first."""
    if not message.answer.done():
        logger.warning("%s has not confirmed difficulty weights: %s.", message.server, _named(message))
        return "late", False
    if error := message.answer.exception():
        logger.warning("%s got no difficulty weights (%s): %s", message.server, _named(message), error)
        return "failed", False
    receipt = message.answer.result()
    if receipt.digest == message.snapshot.digest() and receipt.outcome in (Outcome.ACCEPTED, Outcome.DUPLICATE):
        return "confirmed", receipt.is_first
    logger.warning("%s keeps other difficulty weights (%s): %s", message.server, receipt.outcome, _named(message))
    return "refused", receipt.is_first


def _named(message: _Message) -> str:
    return f"version {message.snapshot.version} of step {message.snapshot.global_step}"
