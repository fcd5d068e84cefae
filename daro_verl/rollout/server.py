"""The part that DARO adds to a rollout server of verl. It is the same for vLLM and SGLang."""

from collections.abc import Awaitable, Callable
from typing import Any

from daro_verl.rollout.api_key import api_keys, key_required
from daro_verl.rollout.gauges import SnapshotGauges
from daro_verl.rollout.store import Receipt, SnapshotStore

EngineServer: Any = object
"""Stands for verl's server class."""


class DifficultyServer(EngineServer):
    """Mixed in before verl's server class. It keeps the snapshot of the model that the server serves.

    Both engines' servers have ``set_global_steps``, ``sleep``, ``release_kv_cache`` and ``launch_server``. Both start
    their HTTP interface with the ``run_uvicorn`` of their module. verl calls ``sleep`` or ``release_kv_cache`` before
    it touches a server's weights, and ``set_global_steps`` once the new ones are in place.
    """

    engine_module: Any
    """Where verl's server class is defined."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._store = SnapshotStore(f"rollout server {self.replica_rank}.{self.node_rank}")
        self._gauges: SnapshotGauges | None = None

    async def receive_difficulty(self, message: bytes) -> Receipt:
        """Receive the trainer's snapshot of the difficulty weights."""
        receipt = self._store.receive(message)
        self._update_gauges()
        return receipt

    async def set_global_steps(self, global_steps: int) -> None:
        """Take verl's label of the model whose weights are now in place."""
        await super().set_global_steps(global_steps)
        self._serve(global_steps)

    async def sleep(self) -> None:
        """Call verl's. Until the next :meth:`set_global_steps`, the server serves no model, and shows that."""
        self._serve(None)
        await super().sleep()

    async def release_kv_cache(self) -> None:
        """The same as :meth:`sleep`, for a server that does not sleep while its weights are replaced."""
        self._serve(None)
        await super().release_kv_cache()

    async def launch_server(self, *args: Any, **kwargs: Any) -> None:
        """Call verl's, and add the gauges and the route ``GET /daro``, behind the engine's API key if it has one.

        verl makes the FastAPI app and starts it in one method. So ``run_uvicorn`` is replaced during the call. That is
        safe, because each server has its own process.
        """
        run_uvicorn = self.engine_module.run_uvicorn

        def with_route(app: Any, server_args: Any, *args: Any, **kwargs: Any) -> Any:
            from fastapi import Depends

            keys = api_keys(server_args)
            guards = [Depends(key_required(keys))] if keys else []
            app.add_api_route("/daro", self._route(), methods=["GET"], dependencies=guards)
            self._gauges = SnapshotGauges()
            self._update_gauges()
            return run_uvicorn(app, server_args, *args, **kwargs)

        self.engine_module.run_uvicorn = with_route
        try:
            await super().launch_server(*args, **kwargs)
        finally:
            self.engine_module.run_uvicorn = run_uvicorn

    def _route(self) -> Callable[[], Awaitable[dict[str, Any]]]:
        """The route as a function. Ray may give a method of an actor one more parameter, which a request lacks."""

        async def show_difficulty() -> dict[str, Any]:
            """The newest snapshot as it was sent, its age, and whether the server serves its model."""
            return self._store.describe()

        return show_difficulty

    def _serve(self, global_step: int | None) -> None:
        self._store.serve(global_step)
        self._update_gauges()

    def _update_gauges(self) -> None:
        if self._gauges is not None:
            self._gauges.show(self._store)
