"""The snapshot that one rollout server keeps. Messages may arrive in any order."""

import logging
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from daro_verl.errors import DaroSnapshotError
from daro_verl.rollout.snapshot import Snapshot

logger = logging.getLogger(__name__)


class Delivery(StrEnum):
    """The outcome of a message."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    """The same snapshot as the one kept."""
    OLDER = "older"
    """Older than the one kept, and not of the served model."""
    CONFLICT = "conflict"
    """The same version and step as the one kept, with other content. The first stays."""
    MALFORMED = "malformed"


@dataclass(frozen=True)
class Receipt:
    """A server's answer to a message.

    Attributes:
        outcome: what the server did with it.
        digest: digest of the snapshot of the model that the server serves; None if it has none.
        is_first: whether the server kept no snapshot before, because it is new or was restarted.
    """

    outcome: Delivery
    digest: str | None
    is_first: bool = False


class SnapshotStore:
    """The newest snapshot of a server, and whether it belongs to the model that the server serves.

    No message makes it raise, because a server must go on serving. It lives as long as the server's process. A server
    that restarts keeps nothing until the next weight sync.

    Attributes:
        name: the server's name, for log lines.
        global_step: verl's label of the model that the server serves. None before the first weight sync, and while the
            server sleeps or gets new weights.
        newest: the snapshot kept, whatever the server serves; None before the first one.
        received_at: Unix time at which it arrived.
    """

    def __init__(self, name: str = "server") -> None:
        self.name = name
        self.global_step: int | None = None
        self.received_at = 0.0
        self.newest: Snapshot | None = None

    @property
    def snapshot(self) -> Snapshot | None:
        """The snapshot of the served model; None until it has arrived."""
        return self.newest if self.is_serving else None

    @property
    def is_serving(self) -> bool:
        """Whether the server serves the model of the newest snapshot."""
        return self.newest is not None and self.newest.global_step == self.global_step

    def serve(self, global_step: int | None) -> None:
        """From now on the server serves the model with this label, or no model if it is None."""
        self.global_step = global_step

    def receive(self, message: bytes) -> Receipt:
        """Keep a :class:`~daro_verl.rollout.snapshot.Snapshot` sent as bytes, or refuse it with a log line."""
        try:
            snapshot = Snapshot.from_bytes(message)
        except DaroSnapshotError as error:
            logger.error("%s keeps the difficulty weights that it has: %s", self.name, error)
            return self._receipt(Delivery.MALFORMED)
        outcome, is_first = self._compare(snapshot), self.newest is None
        if outcome is Delivery.ACCEPTED:
            self.newest, self.received_at = snapshot, time.time()
        else:
            level = logging.ERROR if outcome is Delivery.CONFLICT else logging.WARNING
            message_format = "%s refused difficulty weights (%s): got %s, keeps %s."
            logger.log(level, message_format, self.name, outcome, snapshot, self.newest)
        return self._receipt(outcome, is_first)

    def describe(self) -> dict[str, Any]:
        """The answer to ``GET /daro``.

        - ``global_step``: label of the model that the server serves. It is null before the first weight sync, and while
          the server sleeps or gets new weights;
        - ``snapshot``: the newest snapshot (fields of :class:`~daro_verl.rollout.snapshot.Snapshot`); null before the
          first one;
        - ``serving``: whether the server serves the model of the snapshot. It is false while the server sleeps, and
          while it has a new model but not yet that model's snapshot;
        - ``age_seconds``: seconds since the snapshot arrived, or null.
        """
        return {
            "global_step": self.global_step,
            "serving": self.is_serving,
            "snapshot": None if self.newest is None else vars(self.newest),
            "age_seconds": None if self.newest is None else time.time() - self.received_at,
        }

    def _compare(self, snapshot: Snapshot) -> Delivery:
        kept = self.newest
        if kept is None or snapshot.order > kept.order:
            return Delivery.ACCEPTED
        if snapshot.global_step == self.global_step != kept.global_step:  # the kept one belongs to no model of this job
            return Delivery.ACCEPTED
        if snapshot.order < kept.order:
            return Delivery.OLDER
        return Delivery.DUPLICATE if snapshot == kept else Delivery.CONFLICT

    def _receipt(self, outcome: Delivery, is_first: bool = False) -> Receipt:
        return Receipt(outcome, self.snapshot.digest() if self.snapshot else None, is_first)
