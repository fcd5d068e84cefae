"""The message from the trainer to the rollout servers: the difficulty weights of the actor that they now serve."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from daro_verl.errors import DaroSnapshotError

if TYPE_CHECKING:
    import torch

SNAPSHOT_FORMAT = 1


@dataclass(frozen=True)
class Snapshot:
    """Difficulty weights at one weight sync, and the last losses and token shares. Immutable, O(G) in size.

    Attributes:
        version: updates of the difficulty weights so far, over the whole job.
        global_step: verl's label of the model that was sent with them.
        num_rollouts: ``G = rollout.n``.
        weights: [G-1] ``w_k`` of the bins ``k = 1 .. G-1``.
        losses: [G-1] ``L_k`` of the last optimizer step; None if the bin was absent or its loss was not finite.
        token_shares: [G+1] share of the response tokens of the last optimizer step, ``k = 0 .. G``; zeros before the
            first one.
    """

    version: int
    global_step: int
    num_rollouts: int
    weights: tuple[float, ...]
    losses: tuple[float | None, ...]
    token_shares: tuple[float, ...]

    def __post_init__(self) -> None:
        if problem := _first_problem(self):
            raise problem

    def __str__(self) -> str:
        """The version and the step, for log lines."""
        return f"version {self.version} of step {self.global_step}"

    @property
    def order(self) -> tuple[int, int]:
        """A key that is greater for later snapshots of one job, because both counters only grow, even over a resume."""
        return self.version, self.global_step

    def to_bytes(self) -> bytes:
        """UTF-8 JSON. Python writes enough digits of a float to read back the same bits."""
        return json.dumps({"format": SNAPSHOT_FORMAT, **asdict(self)}, allow_nan=False).encode()

    def digest(self) -> str:
        """A hash. Two snapshots have the same hash exactly if they are equal to the last bit."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @classmethod
    def from_bytes(cls, message: bytes) -> Snapshot:
        """Read :meth:`to_bytes`.

        Raises:
            DaroSnapshotError: the message is not a complete snapshot of this format with finite positive weights.
        """
        try:
            fields = json.loads(message)
        except (ValueError, TypeError) as error:
            raise _problem("message", repr(message)[:40], "UTF-8 JSON") from error
        if not isinstance(fields, dict) or fields.pop("format", None) != SNAPSHOT_FORMAT:
            raise _problem("format", str(fields)[:40], f"an object with format {SNAPSHOT_FORMAT}")
        if set(fields) != set(cls.__dataclass_fields__):
            raise _problem("fields", sorted(fields), ", ".join(cls.__dataclass_fields__))
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
        return cls(**values)


class WeightsLike(Protocol):
    """The part of the actor's difficulty weights that a snapshot needs."""

    num_rollouts: int
    version: int

    def weights(self) -> torch.Tensor: ...


def snapshot_of(
    weights: WeightsLike, last_step: tuple[torch.Tensor, torch.Tensor] | None, global_step: int
) -> Snapshot:
    """A snapshot of the current weights, exact to the last bit.

    Args:
        weights: the actor's.
        last_step: ``L_k`` [G-1] and ``T_k`` [G+1] of the last optimizer step; None before the process's first one.
        global_step: verl's label of the actor's model.
    """
    G = weights.num_rollouts
    losses: list[float | None] = [None] * (G - 1)
    shares = [0.0] * (G + 1)
    if last_step is not None:
        of_step, tokens = (values.double().cpu() for values in last_step)
        known = (tokens[1:-1] > 0) & of_step.isfinite()
        losses = [loss if k else None for loss, k in zip(of_step.tolist(), known.tolist(), strict=True)]
        shares = (tokens / tokens.sum().clamp(min=1)).tolist()
    return Snapshot(
        weights.version, int(global_step), G, tuple(weights.weights().tolist()), tuple(losses), tuple(shares)
    )


def _first_problem(snapshot: Snapshot) -> DaroSnapshotError | None:
    for name, least in (("version", 0), ("global_step", 0), ("num_rollouts", 2)):
        value = getattr(snapshot, name)
        if type(value) is not int or value < least:
            return _problem(name, value, f"an integer of at least {least}")
    per_bin: tuple[tuple[str, int, str, Callable[[Any], bool]], ...] = (
        ("weights", snapshot.num_rollouts - 1, "finite numbers > 0", lambda x: _is_finite(x) and x > 0),
        ("losses", snapshot.num_rollouts - 1, "finite numbers or null", lambda x: x is None or _is_finite(x)),
        ("token_shares", snapshot.num_rollouts + 1, "numbers in [0, 1]", lambda x: _is_finite(x) and 0 <= x <= 1),
    )
    for name, length, kind, is_right in per_bin:
        values = getattr(snapshot, name)
        if not isinstance(values, tuple) or len(values) != length or not all(map(is_right, values)):
            return _problem(name, values, f"{length} {kind}")
    return None


def _is_finite(value: Any) -> bool:
    return type(value) is float and math.isfinite(value)


def _problem(name: str, got: object, expected: str) -> DaroSnapshotError:
    fix = "run the same version of daro-verl on every node"
    return DaroSnapshotError(f"snapshot of difficulty weights, {name}", got=got, expected=expected, fix=fix)
