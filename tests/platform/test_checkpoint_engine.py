"""Weights over TCP between one training worker group and several rollout workers, in one process."""

import pytest

from tests.platform.processes import run_code

TRANSFER = """
import asyncio
from verl import checkpoint_engine as package
from daro_verl import platform
platform.activate()
import torch
from verl.checkpoint_engine import CheckpointEngineRegistry

engine_class = CheckpointEngineRegistry.get("zmq")
actors = [engine_class(bucket_size=1, is_master=rank == 0) for rank in range(2)]
rollouts = [engine_class(bucket_size=1) for _ in range(3)]
generator = torch.Generator().manual_seed(0)
weights = {
    "matrix": torch.randn(7, 5, generator=generator).T,
    "bfloat16": torch.randn(3, 4, generator=generator).bfloat16(),
    "scalar": torch.tensor(2.5, dtype=torch.float64),
    "integers": torch.arange(5),
    **{f"layer.{n}": torch.full((4,), float(n)) for n in range(50)},
}
walked = []

def exported(rank):
    for item in weights.items():
        walked.append(rank)
        yield item

async def received(engine):
    return {name: weight async for name, weight in engine.receive_weights(global_steps=1)}

async def transfer():
    metadata = [engine.prepare() for engine in actors + rollouts]
    for workers, kwargs in zip((actors, rollouts), engine_class.build_topology(2, 3, metadata)):
        for rank, engine in enumerate(workers):
            engine.init_process_group(**{name: values[rank] for name, values in kwargs.items()})
    sends = [engine.send_weights(exported(rank), global_steps=1) for rank, engine in enumerate(actors)]
    results = await asyncio.gather(*map(received, rollouts), *sends)
    for engine in actors + rollouts:
        engine.finalize()
        assert not engine.sockets
    return results[:3]

for _ in range(2):
    for result in asyncio.run(transfer()):
        assert list(result) == list(weights)
        for name, weight in weights.items():
            assert result[name].dtype == weight.dtype and torch.equal(result[name], weight), name
assert walked.count(0) == walked.count(1) == 2 * len(weights)
print("transferred")
"""


@pytest.mark.slow
def test_every_rollout_worker_receives_every_tensor_and_every_training_rank_exports():
    assert run_code(TRANSFER).splitlines()[-1] == "transferred"
