"""What one rollout server keeps of the snapshots that reach it, in whatever order they do."""

import logging
import time
from dataclasses import dataclass
from enum import StrEnum

from daro_verl.errors import DaroSnapshotError
from daro_verl.rollout.snapshot import Snapshot

logger = logging.getLogger(__name__)


class Outcome(StrEnum):
    """What became of a message."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    """The very snapshot that is held already."""
    OLDER = "older"
    """Sent before the one that is held, and not that of the served model."""
    CONFLICT = "conflict"
    """The version and step of the one that is held, with other content: the first stays."""
    MALFORMED = "malformed"


@dataclass(frozen=True)
class Receipt:
    """A server's answer to a message.

    Attributes:
        outcome: what became of it.
        digest: of the snapshot that the server shows now; None if it shows none.
        is_first: whether the server held none before: it is new, or was started again.
    """

    outcome: Outcome
    digest: str | None
    is_first: bool = False


class Holder:
    """The newest snapshot of a server, shown only while the server's model is the one it was sent with.

    Never raises on a message: a server must go on serving. Lives as long as the server's process; a server that starts
    again holds nothing until the next weight sync.
    """

    def __init__(self, name: str = "server") -> None:
        """Args:
        name: of the server, for log lines.
        """
        self.name = name
        self.global_step: int | None = None
        """Label of the model that the server serves, as verl told it; None before the first weight sync, and while the
        server sleeps or gets new weights."""
        self._newest: Snapshot | None = None
        self.received_at = 0.0
        """Unix time at which the newest snapshot came."""

    @property
    def snapshot(self) -> Snapshot | None:
        """The snapshot of the model that is served; None until it has come."""
        newest = self._newest
        return newest if newest is not None and newest.global_step == self.global_step else None

    def serve(self, global_step: int | None) -> None:
        """From now on the server serves the model with this label; None: no model."""
        self.global_step = global_step

    def receive(self, message: bytes) -> Receipt:
        """Take a :class:`~daro_verl.rollout.snapshot.Snapshot` as bytes, or leave it, with a log line."""
        try:
            snapshot = Snapshot.from_bytes(message)
        except DaroSnapshotError as error:
            logger.error("%s keeps its difficulty weights: %s", self.name, error)
            return self._receipt(Outcome.MALFORMED)
        outcome, is_first = self._compare(snapshot), self._newest is None
        if outcome is Outcome.ACCEPTED:
            self._newest, self.received_at = snapshot, time.time()
        else:
            held = self._newest
            assert held is not None
            level = logging.ERROR if outcome is Outcome.CONFLICT else logging.WARNING
            got, kept = _named(snapshot), _named(held)
            logger.log(level, "%s left out difficulty weights (%s): got %s, keeps %s.", self.name, outcome, got, kept)
        return self._receipt(outcome, is_first)

    def _compare(self, snapshot: Snapshot) -> Outcome:
        held = self._newest
        if held is None or snapshot.order > held.order:
            return Outcome.ACCEPTED
        if snapshot.global_step == self.global_step != held.global_step:  # what is held was never of this job's models
            return Outcome.ACCEPTED
        if snapshot.order < held.order:
            return Outcome.OLDER
        return Outcome.DUPLICATE if snapshot == held else Outcome.CONFLICT

    def _receipt(self, outcome: Outcome, is_first: bool = False) -> Receipt:
        return Receipt(outcome, self.snapshot.digest() if self.snapshot else None, is_first)


def _named(snapshot: Snapshot) -> str:
    return f"version {snapshot.version} of step {snapshot.global_step}"
