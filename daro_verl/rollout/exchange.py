"""The trainer's side: one snapshot to every rollout server after every weight sync.

The trainer waits only for its actor, which must answer before its next update. A thread sends the snapshots and waits
for no server. The trainer reads the answers after the next sync. A dead or slow server causes a log line and a metric,
and does not affect the other servers. The line about a dead server comes at once, because verl ends the job before the
next sync.
"""

import logging
import time
from collections.abc import Iterable
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from verl.utils.ray_utils import auto_await

from daro_verl.errors import DaroSnapshotError
from daro_verl.prompts.job_memory import NEWEST_WEIGHTS
from daro_verl.rollout.snapshot import Snapshot
from daro_verl.rollout.store import Delivery, Receipt

logger = logging.getLogger(__name__)

OUTCOMES = tuple(f"daro/exchange/{name}" for name in ("confirmed", "refused", "failed", "late", "new"))
MILLISECONDS = "daro/exchange/milliseconds"

PlainManager: Any = object
"""Stands for verl's ``CheckpointEngineManager``, which cannot be imported before it is replaced."""


def with_exchange(manager_class: type) -> type:
    """verl's ``CheckpointEngineManager`` that also sends the difficulty weights, to replace verl's in its module.

    It has the same name there. So verl's other modules import it, users' own classes inherit from it, and it pickles by
    that name.
    """
    if issubclass(manager_class, DifficultyExchange):
        return manager_class
    names = {name: getattr(manager_class, name) for name in ("__module__", "__qualname__", "__doc__")}
    return type(manager_class.__name__, (DifficultyExchange, manager_class), names)


class DifficultyExchange(PlainManager):
    """Mixed in before verl's manager of the weight sync.

    If no server of its replicas takes difficulty weights (a job without DARO), the manager does what verl's does.

    Attributes:
        difficulty_messages: the messages sent; None before the first one.
    """

    difficulty_messages: "Messages | None" = None

    @auto_await
    async def update_weights(self, global_steps: int | None = None) -> Any:
        """Call verl's, then send the actor's difficulty weights to the servers that have just got its model.

        Args:
            global_steps: verl's label of the model; None if verl sends a model again under its old label. The servers
                slept before that, so they are told the label again, and show the snapshot that they keep.
        """
        result = await super().update_weights(global_steps=global_steps)
        servers = servers_of(self.replicas)
        if servers:
            self.difficulty_messages = self.difficulty_messages or Messages()
            if global_steps is None:
                self.difficulty_messages.repeat_label(servers)
            else:
                self.difficulty_messages.send(self.actor_wg, global_steps, servers)
        return result

    def __getstate__(self) -> dict[str, Any]:
        """verl's state without the messages: a copy in another process has sent nothing."""
        return {name: value for name, value in vars(self).items() if name != "difficulty_messages"}


def servers_of(replicas: Iterable[Any]) -> dict[str, Any]:
    """The servers of verl's replicas that take difficulty weights, by name.

    Only servers that answer requests take them. Classes without a counterpart in DARO (disaggregated prefill and
    decode, TensorRT-LLM) do not.
    """
    servers = {f"replica {replica.replica_rank}": replica.server_handle for replica in replicas}
    return {name: server for name, server in servers.items() if hasattr(server, "receive_difficulty")}


@dataclass
class Message:
    """A snapshot on its way to one server."""

    server: str
    snapshot: Snapshot
    answer: Future[Receipt]

    def log_failure(self, answer: Future[Receipt]) -> None:
        """Log that the message failed, if it did. Ray calls this in a thread of its own when there is an answer."""
        if error := answer.exception():
            logger.warning("%s got no difficulty weights (%s): %s", self.server, self.snapshot, error)


class Messages:
    """The messages of one manager and their outcomes. Lives as long as the manager.

    Attributes:
        first, last: the first and the last snapshot sent; None before the first one.
    """

    def __init__(self) -> None:
        self.first: Snapshot | None = None
        self.last: Snapshot | None = None
        self._label: int | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="daro-exchange")
        self._sendings: list[Future[list[Message]]] = []
        self._next_outcomes = dict.fromkeys((*OUTCOMES, MILLISECONDS), 0.0)

    def send(self, actor_wg: Any, global_step: int, servers: dict[str, Any]) -> None:
        """Ask the actor for its snapshot, tell it the outcomes of earlier messages, and send to all servers.

        If the actor has no complete snapshot, that is logged and counts as ``failed`` for every server.

        Args:
            actor_wg: verl's worker group of the actor.
            global_step: verl's label of the actor's model.
            servers: Ray handles by name, each with ``receive_difficulty``.
        """
        start = time.perf_counter()
        self._label = global_step
        try:
            reply = actor_wg.difficulty_snapshot(global_step, self.outcomes())
            snapshot = Snapshot.from_bytes(reply[0] if isinstance(reply, list) else reply)
            self.first, self.last = self.first or snapshot, snapshot
            NEWEST_WEIGHTS.set(snapshot.order, snapshot.weights)
            self._sendings.append(self._thread.submit(_send, snapshot, servers))
        except DaroSnapshotError as error:
            logger.error("No rollout server gets difficulty weights of step %s: %s", global_step, error)
            self._next_outcomes["daro/exchange/failed"] += len(servers)
        self._next_outcomes[MILLISECONDS] += 1000 * (time.perf_counter() - start)

    def repeat_label(self, servers: dict[str, Any]) -> None:
        """Tell the servers again the label of the model that they had."""
        if self._label is None:
            return
        for server in servers.values():
            server.set_global_steps.remote(self._label)

    def outcomes(self) -> dict[str, float]:
        """Outcomes of the messages since the last call, each counted once: numbers under ``daro/exchange/``.

        This waits for nothing. The first four add up to the number of messages:

        - ``confirmed``: the server shows exactly the bits that were sent;
        - ``refused``: the server keeps something else;
        - ``failed``: the server is dead, or the actor had nothing to send;
        - ``late``: the server has not answered, and a newer message is about to replace this one;
        - ``new``: servers that got their first snapshot;
        - ``milliseconds``: the trainer's time at the last sync, without that of the sending thread.
        """
        counts, self._next_outcomes = self._next_outcomes, dict.fromkeys((*OUTCOMES, MILLISECONDS), 0.0)
        sent = [sending for sending in self._sendings if sending.done()]
        self._sendings = [sending for sending in self._sendings if not sending.done()]
        for message in (message for sending in sent for message in sending.result()):
            outcome, is_new = _outcome(message)
            counts[f"daro/exchange/{outcome}"] += 1
            counts["daro/exchange/new"] += is_new
            if is_new:
                level = logging.INFO if message.snapshot is self.first else logging.WARNING
                logger.log(level, "%s is new or starts again, with %s.", message.server, message.snapshot)
        return counts

    def wait(self, seconds: float | None = None) -> None:
        """Wait until all messages are answered, at most ``seconds``. Nothing in a job calls this."""
        futures.wait(self._sendings)
        futures.wait([message.answer for sending in self._sendings for message in sending.result()], seconds)


def _send(snapshot: Snapshot, servers: dict[str, Any]) -> list[Message]:
    content, messages = snapshot.to_bytes(), []
    for name, server in servers.items():
        try:
            answer = server.receive_difficulty.remote(content).future()
        except Exception as error:  # Ray does not take the call
            answer = Future()
            answer.set_exception(error)
        message = Message(name, snapshot, answer)
        answer.add_done_callback(message.log_failure)
        messages.append(message)
    return messages


def _outcome(message: Message) -> tuple[str, bool]:
    """A message's outcome, and whether it was its server's first. A late or refused message is logged."""
    if not message.answer.done():
        logger.warning("%s has not confirmed difficulty weights: %s.", message.server, message.snapshot)
        return "late", False
    if message.answer.exception():
        return "failed", False
    receipt = message.answer.result()
    if receipt.digest == message.snapshot.digest() and receipt.outcome in (Delivery.ACCEPTED, Delivery.DUPLICATE):
        return "confirmed", receipt.is_first
    logger.warning("%s keeps other difficulty weights (%s): %s", message.server, receipt.outcome, message.snapshot)
    return "refused", receipt.is_first
