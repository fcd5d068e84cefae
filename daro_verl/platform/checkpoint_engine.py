"""Send weights from training ranks to rollout servers on separate (CPU) devices. Importing this registers the engine.

verl's trainers with separate rollout servers send weights through a checkpoint engine. verl 0.9.1 has none that works
without an accelerator (nccl and nixl need cupy). This one sends over TCP, as the backend ``zmq``. Not needed once verl
has one that runs on a CPU.
"""

# mypy: disable-error-code="override"
# The types that verl declares differ from the types that it uses.

import asyncio
import pickle
from collections.abc import AsyncGenerator, Generator
from typing import Any

import ray
import torch
import zmq
from verl.checkpoint_engine.base import CheckpointEngine, CheckpointEngineRegistry

from daro_verl.platform.overrides import CHECKPOINT_ENGINE

NUM_TENSORS_IN_FLIGHT = 8  # per receiver: bounds the memory that messages take
LAST = b""


@CheckpointEngineRegistry.register(CHECKPOINT_ENGINE)
class ZmqCheckpointEngine(CheckpointEngine):
    """One connection from training rank 0 to each rollout worker, one message per tensor, in order.

    A receiver binds in :meth:`prepare`, so no tensor is sent before a receiver listens. :meth:`finalize` ends a
    transfer. The next one starts with new connections. The methods have the types with which verl calls them. The
    base class declares other types.
    """

    def __init__(self, bucket_size: int, is_master: bool = False) -> None:
        """Ignore ``bucket_size`` [bytes], which verl passes to every engine. Here each tensor is its own message."""
        self.is_master = is_master
        self.context: zmq.Context[Any] = zmq.Context.instance()
        self.sockets: list[zmq.Socket[Any]] = []

    def prepare(self) -> str:
        """Bind and return the address. Training ranks bind too, because only the topology knows the receivers."""
        socket = self._socket(zmq.PULL)
        address = f"tcp://{ray.util.get_node_ip_address()}"
        return f"{address}:{socket.bind_to_random_port(address)}"

    @classmethod
    def build_topology(
        cls, actor_wg_world_size: int, rollout_world_size: int, metadata: list[str]
    ) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
        """The receivers' addresses for training rank 0; none for any other process."""
        receivers = metadata[actor_wg_world_size:]
        senders = [receivers] + [[]] * (actor_wg_world_size - 1)
        return {"receivers": senders}, {"receivers": [[]] * rollout_world_size}

    def init_process_group(self, receivers: list[str]) -> None:
        """Connect to ``receivers``. If there are none, keep listening."""
        if receivers:
            self.finalize()
        for address in receivers:
            self._socket(zmq.PUSH).connect(address)

    def finalize(self) -> None:
        """Close the connections. Messages already sent still arrive."""
        for socket in self.sockets:
            socket.close()
        self.sockets.clear()

    async def send_weights(
        self, weights: Generator[tuple[str, torch.Tensor], None, None], global_steps: int | None = None
    ) -> None:
        """Send every tensor to every receiver. All training ranks iterate, because exporting is a collective call."""
        for name, weight in weights:
            if self.is_master:
                header = pickle.dumps((name, weight.dtype, tuple(weight.shape)))
                data = weight.detach().contiguous().view(-1).view(torch.uint8).numpy()
                await self._send_to_all([header, data])
        if self.is_master:
            await self._send_to_all([LAST])

    async def _send_to_all(self, message: list[Any]) -> None:
        for socket in self.sockets:
            await asyncio.to_thread(socket.send_multipart, message)

    async def receive_weights(self, global_steps: int | None = None) -> AsyncGenerator[tuple[str, torch.Tensor], None]:
        """Yield ``(name, weight)`` as training rank 0 exports them."""
        (socket,) = self.sockets
        while True:
            header, *data = await asyncio.to_thread(socket.recv_multipart)
            if header == LAST:
                return
            name, dtype, shape = pickle.loads(header)
            yield name, torch.frombuffer(bytearray(data[0]), dtype=torch.uint8).view(dtype).view(shape)

    def _socket(self, kind: int) -> zmq.Socket[Any]:
        socket = self.context.socket(kind)
        socket.set_hwm(NUM_TENSORS_IN_FLIGHT)
        self.sockets.append(socket)
        return socket
