"""What DARO adds to a rollout server of verl, the same for vLLM and SGLang."""

import time
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any

from daro_verl.rollout.fields import VERSION_FIELD
from daro_verl.rollout.gauges import SnapshotGauges
from daro_verl.rollout.holder import Holder, Receipt
from daro_verl.wrapping import arguments, wrap


class DifficultyServer:
    """Mixed into verl's server class, before it: keeps the snapshot of the model that the server serves.

    Both engines' servers have ``set_global_steps``, ``sleep``, ``release_kv_cache``, ``generate`` and
    ``launch_server``, and start their HTTP interface with the ``run_uvicorn`` of their module. verl calls ``sleep`` or
    ``release_kv_cache`` before it touches the weights of a server, ``set_global_steps`` once the new ones are in place.
    """

    engine_module: ModuleType
    """Where verl's server class is defined."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._holder = Holder(f"rollout server {self.replica_rank}.{self.node_rank}")
        self._gauges: SnapshotGauges | None = None

    async def receive_difficulty(self, message: bytes) -> Receipt:
        """Take the trainer's snapshot of the difficulty weights."""
        receipt = self._holder.receive(message)
        self._show()
        return receipt

    async def set_global_steps(self, global_steps: int) -> None:
        """verl's label of the model whose weights are in place from now on."""
        await super().set_global_steps(global_steps)
        self._serve(global_steps)

    async def sleep(self) -> None:
        """verl's; from here to the next :meth:`set_global_steps` the server serves no model, and shows nothing."""
        self._serve(None)
        await super().sleep()

    async def release_kv_cache(self) -> None:
        """verl's, before the weights of a server that does not sleep are replaced; the same as :meth:`sleep`."""
        self._serve(None)
        await super().release_kv_cache()

    async def generate(self, *args: Any, **kwargs: Any) -> Any:
        """verl's, and the version of the difficulty weights at its end; None while they are not known."""
        output = await super().generate(*args, **kwargs)
        snapshot = self._holder.snapshot
        output.extra_fields[VERSION_FIELD] = None if snapshot is None else snapshot.version
        return output

    async def launch_server(self, *args: Any, **kwargs: Any) -> None:
        """verl's, with the route ``GET /daro`` and the gauges. A server has its process for itself."""
        wrap(self.engine_module, "run_uvicorn", self._add_route)
        await super().launch_server(*args, **kwargs)

    def _add_route(self, run_uvicorn: Any, args: tuple, kwargs: dict) -> Any:
        app = arguments(run_uvicorn, args, kwargs)["app"]
        app.add_api_route("/daro", self._route(), methods=["GET"])
        self._gauges = SnapshotGauges()
        self._show()
        return run_uvicorn(*args, **kwargs)

    def _route(self) -> Callable[[], Awaitable[dict[str, Any]]]:
        """A function, because Ray may give the methods of an actor one more parameter, which a request lacks."""

        async def show_difficulty() -> dict[str, Any]:
            """The snapshot as it was sent and its age; null while that of the served model has not come."""
            return describe(self._holder)

        return show_difficulty

    def _serve(self, global_step: int | None) -> None:
        self._holder.serve(global_step)
        self._show()

    def _show(self) -> None:
        if self._gauges is not None:
            self._gauges.show(self._holder)


def describe(holder: Holder) -> dict[str, Any]:
    """What ``GET /daro`` answers.

    - ``global_step``: label of the model that the server serves, null before the first weight sync, and while it sleeps
      or gets new weights;
    - ``snapshot``: the fields of :class:`~daro_verl.rollout.snapshot.Snapshot`, or null;
    - ``age_seconds``: since it came, or null.
    """
    snapshot = holder.snapshot
    return {
        "global_step": holder.global_step,
        "snapshot": None if snapshot is None else vars(snapshot),
        "age_seconds": None if snapshot is None else time.time() - holder.received_at,
    }
