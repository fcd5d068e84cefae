"""What one rollout server keeps of the snapshots that reach it, in whatever order they do."""

import logging
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from daro_verl.errors import DaroSnapshotError
from daro_verl.rollout.snapshot import Snapshot

logger = logging.getLogger(__name__)


class Delivery(StrEnum):
    """What became of a message."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    """The very snapshot that is kept already."""
    OLDER = "older"
    """Sent before the one that is kept, and not that of the served model."""
    CONFLICT = "conflict"
    """The version and step of the one that is kept, with other content: the first stays."""
    MALFORMED = "malformed"


@dataclass(frozen=True)
class Receipt:
    """A server's answer to a message.

    Attributes:
        outcome: what became of it.
        digest: of the snapshot of the model that the server serves; None if it has none.
        is_first: whether the server kept none before: it is new, or was started again.
    """

    outcome: Delivery
    digest: str | None
    is_first: bool = False


class SnapshotStore:
    """The newest snapshot of a server, and whether the server's model is the one it was sent with.

    Never raises on a message: a server must go on serving. Lives as long as the server's process; a server that starts
    again keeps nothing until the next weight sync.

    Attributes:
        name: of the server, for log lines.
        global_step: label of the model that the server serves, as verl told it; None before the first weight sync, and
            while the server sleeps or gets new weights.
        newest: the snapshot that is kept, whatever the server serves; None until the first one has come.
        received_at: Unix time at which it came.
    """

    def __init__(self, name: str = "server") -> None:
        self.name = name
        self.global_step: int | None = None
        self.received_at = 0.0
        self.newest: Snapshot | None = None

    @property
    def snapshot(self) -> Snapshot | None:
        """The snapshot of the model that is served; None until it has come."""
        return self.newest if self.is_serving else None

    @property
    def is_serving(self) -> bool:
        """Whether the server serves the model of the newest snapshot."""
        return self.newest is not None and self.newest.global_step == self.global_step

    def serve(self, global_step: int | None) -> None:
        """From now on the server serves the model with this label; None: no model."""
        self.global_step = global_step

    def receive(self, message: bytes) -> Receipt:
        """Keep a :class:`~daro_verl.rollout.snapshot.Snapshot` that came as bytes, or refuse it, with a log line."""
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
        """What ``GET /daro`` answers.

        - ``global_step``: label of the model that the server serves, null before the first weight sync, and while it
          sleeps or gets new weights;
        - ``snapshot``: the newest, the fields of :class:`~daro_verl.rollout.snapshot.Snapshot`; null before the first;
        - ``serving``: whether the server serves the model of the snapshot; false while it sleeps, and from the moment
          at which it has a new model until that one's snapshot comes;
        - ``age_seconds``: since the snapshot came, or null.
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
        if snapshot.global_step == self.global_step != kept.global_step:  # what is kept was never of this job's models
            return Delivery.ACCEPTED
        if snapshot.order < kept.order:
            return Delivery.OLDER
        return Delivery.DUPLICATE if snapshot == kept else Delivery.CONFLICT

    def _receipt(self, outcome: Delivery, is_first: bool = False) -> Receipt:
        return Receipt(outcome, self.snapshot.digest() if self.snapshot else None, is_first)
