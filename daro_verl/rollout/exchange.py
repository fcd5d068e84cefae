"""The trainer's side of the way down: one snapshot to every rollout server after every weight sync.

The trainer waits for its actor only, which must answer before its next update; :mod:`messages` does the rest.
"""

import logging
import time
from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

from daro_verl.errors import DaroSnapshotError
from daro_verl.rollout import step_log
from daro_verl.rollout.messages import Messages
from daro_verl.rollout.snapshot import Snapshot

logger = logging.getLogger(__name__)

NUM_STEPS_REMEMBERED = 1000
"""Labels whose version can still be looked up: far more than trajectories are ever late."""

_sent: dict[int, Snapshot] = {}
_exchanges: "WeakKeyDictionary[Any, Messages]" = WeakKeyDictionary()


def newest_sent() -> Snapshot | None:
    """The snapshot that was sent last by this process."""
    sent = list(_sent.values())
    return sent[-1] if sent else None


def version_of_step(global_step: int) -> int | None:
    """The version that was sent with the model of this label; None if this process did not send it."""
    snapshot = _sent.get(global_step)
    return None if snapshot is None else snapshot.version


def exchange_of(manager: Any) -> Messages:
    """The messages of one of verl's ``CheckpointEngineManager``; lives as long as that."""
    if manager not in _exchanges:
        _exchanges[manager] = Messages()
    return _exchanges[manager]


def exchange_after_sync(manager: Any, global_step: int | None) -> None:
    """Send the actor's difficulty weights to the servers that have just got its model.

    Metrics under ``daro/exchange/``, added up over the syncs of a step: ``sent`` (messages), ``bytes`` (of all of
    them), ``milliseconds`` (of the trainer's time, without that of the sending thread), and :meth:`Messages.settle` for
    the messages before. An actor without a whole snapshot costs a log line, and ``failed`` for every server.

    Args:
        manager: verl's ``CheckpointEngineManager``.
        global_step: verl's label of the model; None where verl sends one again under the label that it has. The
            servers, which slept before that, are told the label again, and show the snapshot that they hold.
    """
    servers = servers_of(manager.replicas)
    if not servers:
        return
    exchange = exchange_of(manager)
    if global_step is None:
        for server in servers.values() if exchange.last else ():
            server.set_global_steps.remote(exchange.last.global_step)
        return
    start = time.perf_counter()
    metrics = exchange.settle() | dict.fromkeys(("daro/exchange/sent", "daro/exchange/bytes"), 0.0)
    try:
        message = manager.actor_wg.difficulty_snapshot(global_step)
        snapshot = Snapshot.from_bytes(message)
        _remember(snapshot)
        exchange.send(snapshot, servers)
        metrics["daro/exchange/sent"] = float(len(servers))
        metrics["daro/exchange/bytes"] = float(len(servers) * len(message))
    except DaroSnapshotError as error:
        logger.error("No rollout server gets difficulty weights of step %s: %s", global_step, error)
        metrics["daro/exchange/failed"] += len(servers)
    metrics["daro/exchange/milliseconds"] = 1000 * (time.perf_counter() - start)
    step_log.add(metrics)


def servers_of(replicas: Iterable[Any]) -> dict[str, Any]:
    """The servers of verl's replicas that take difficulty weights, by name: those that answer requests.

    Classes that DARO has no counterpart of (disaggregated prefill and decode, TensorRT-LLM) do not.
    """
    servers = {f"replica {replica.replica_rank}": replica.server_handle for replica in replicas}
    return {name: server for name, server in servers.items() if hasattr(server, "receive_difficulty")}


def _remember(snapshot: Snapshot) -> None:
    _sent.pop(snapshot.global_step, None)
    _sent[snapshot.global_step] = snapshot
    while len(_sent) > NUM_STEPS_REMEMBERED:
        del _sent[next(iter(_sent))]
