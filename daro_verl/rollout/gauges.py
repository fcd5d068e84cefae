"""The snapshot of a server as Prometheus gauges, beside the engine's own on the same page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from daro_verl.objective import bin_label
from daro_verl.rollout.store import SnapshotStore

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Gauge


class SnapshotGauges:
    """Gauges of a server's newest snapshot; NaN before the first. Label ``pass_rate`` is the bin, ``3of8``.

    - ``daro_serving``: 1 while the server serves the model of the snapshot. It is 0 while the server sleeps, and until
      the snapshot of a new model arrives;
    - ``daro_weight{pass_rate}``, ``daro_loss{pass_rate}``: ``k = 1 .. G-1``;
    - ``daro_token_share{pass_rate}``: ``k = 0 .. G``;
    - ``daro_weight_version``, ``daro_global_step``;
    - ``daro_received_timestamp_seconds``: Unix time. The age is ``time() -`` this value.

    With ``PROMETHEUS_MULTIPROC_DIR`` set (SGLang's metrics), prometheus_client shares the values with the process that
    answers. The most recent value counts. prometheus_client reads the variable when it is imported, and SGLang sets it
    late. So it is imported here, once the engine runs.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        from prometheus_client import REGISTRY, Gauge

        registry = registry or REGISTRY

        def gauge(name: str, meaning: str, labels: tuple[str, ...] = ()) -> Gauge:
            return Gauge(f"daro_{name}", meaning, labels, registry=registry, multiprocess_mode="mostrecent")

        self._per_bin = {
            "weights": gauge("weight", "Difficulty weight of a bin of prompts", ("pass_rate",)),
            "losses": gauge("loss", "Loss of a bin in the last optimizer step", ("pass_rate",)),
            "token_shares": gauge("token_share", "Share of a bin of the last response tokens", ("pass_rate",)),
        }
        self._version = gauge("weight_version", "Updates of the difficulty weights so far")
        self._global_step = gauge("global_step", "Label of the model that the difficulty weights belong to")
        self._received = gauge("received_timestamp_seconds", "Unix time at which the difficulty weights arrived")
        self._serving = gauge("serving", "1 while the server serves the model of these difficulty weights, else 0")

    def show(self, store: SnapshotStore) -> None:
        """Set every gauge from the store."""
        self._serving.set(store.is_serving)
        snapshot = store.newest
        if snapshot is None:
            for gauge in (self._version, self._global_step, self._received):
                gauge.set(math.nan)
            return
        for name, per_bin in self._per_bin.items():
            values = getattr(snapshot, name)
            first = 0 if len(values) > snapshot.num_rollouts else 1
            for k, value in enumerate(values, start=first):
                per_bin.labels(bin_label(k, snapshot.num_rollouts)).set(math.nan if value is None else value)
        self._version.set(snapshot.version)
        self._global_step.set(snapshot.global_step)
        self._received.set(store.received_at)
