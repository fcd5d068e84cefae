"""The trainer's side of the way down: one snapshot to every rollout server after every weight sync.

The trainer never waits for a server. What became of a message is looked up at the next sync, when it has long been
answered; a server that is dead, slow or of another kind costs a log line and a metric.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import ray

from daro_verl.rollout import step_log
from daro_verl.rollout.holder import Outcome, Receipt
from daro_verl.rollout.snapshot import Snapshot

logger = logging.getLogger(__name__)

NUM_STEPS_REMEMBERED = 1000

_sent: dict[int, Snapshot] = {}


def newest_sent() -> Snapshot | None:
    """The snapshot that was sent last by this process."""
    return next(reversed(_sent.values()), None)


def version_of_step(global_step: int) -> int | None:
    """The version that was sent with the model of this label; None if this process did not send it."""
    return _sent[global_step].version if global_step in _sent else None


@dataclass
class _Message:
    """A snapshot on its way to one server."""

    server: str
    snapshot: Snapshot
    answer: ray.ObjectRef


@dataclass
class Exchange:
    """Messages of one of verl's ``CheckpointEngineManager`` to the servers of its replicas.

    Attributes:
        on_the_way: not answered yet when they were last looked at.
    """

    on_the_way: list[_Message] = field(default_factory=list)

    def send(self, message: bytes, servers: dict[str, Any]) -> None:
        """Send to all servers, without waiting.

        Args:
            message: :meth:`Snapshot.to_bytes <daro_verl.rollout.snapshot.Snapshot.to_bytes>` of the actor.
            servers: Ray handles by name, each with ``receive_difficulty``.
        """
        snapshot = Snapshot.from_bytes(message)
        for name, server in servers.items():
            self.on_the_way.append(_Message(name, snapshot, server.receive_difficulty.remote(message)))
        _remember(snapshot)

    def settle(self) -> dict[str, float]:
        """Look at the answers that have come.

        Returns:
            Numbers of servers, under ``daro/exchange/``: ``confirmed``, which show exactly the bits that were sent;
            ``refused``, which kept something else; ``failed``, which are dead; ``late``, which have not answered.
        """
        counts = dict.fromkeys(("confirmed", "refused", "failed", "late"), 0)
        messages, self.on_the_way = self.on_the_way, []
        answers = [message.answer for message in messages]
        here = set(ray.wait(answers, num_returns=len(answers), timeout=0)[0]) if answers else set()
        for message in messages:
            if message.answer in here:
                counts[_outcome(message)] += 1
            else:
                counts["late"] += 1
                self.on_the_way.append(message)
                logger.warning("%s has not confirmed difficulty weights: %s.", message.server, _named(message))
        return {f"daro/exchange/{name}": float(count) for name, count in counts.items()}


def exchange_after_sync(manager: Any, global_step: int | None) -> None:
    """Send the actor's difficulty weights to the servers that have just got its model.

    Metrics under ``daro/exchange/``, added up over the syncs of a step: ``sent`` (messages), ``bytes`` (of all of
    them), ``milliseconds`` (of the trainer's time), and those of :meth:`Exchange.settle` for the messages before.

    Args:
        manager: verl's ``CheckpointEngineManager``.
        global_step: verl's label of the model; None where verl sends one again under the label that it has.
    """
    servers = servers_of(manager.replicas)
    if global_step is None or not servers:
        return
    start = time.perf_counter()
    if not hasattr(manager, "_daro_exchange"):
        manager._daro_exchange = Exchange()
    metrics = manager._daro_exchange.settle()
    message = manager.actor_wg.difficulty_snapshot(global_step)
    manager._daro_exchange.send(message, servers)
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
