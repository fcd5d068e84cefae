"""The parts that grow with the job: DARO's own work on the driver and on a rank, and its messages, to 100,000 ranks.

- *measured*: processor time of one thread on this machine, for the package's code on made-up data.
- *arithmetic*: a collective of a few hundred bytes among ``n`` ranks takes ``2 log2(n)`` hops (a tree up and down) of
  :data:`HOP_US` microseconds, which is an assumption. A data-parallel rank and a rollout server are 8 ranks each
  (tensor and pipeline parallel). A step has at most one million responses.
- *from exchange.json*: a straight line through the measurements of ``benchmarks/exchange.py``.
"""

import json
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.cost import advantage
from benchmarks.cost.aims import Aim
from benchmarks.cost.batches import loss_batch
from benchmarks.cost.loss import one_rank
from benchmarks.cost.timing import interleave, milliseconds, processor_clock
from daro_verl.workers.difficulty_weights import DifficultyWeights
from daro_verl.workers.metrics import step_metrics
from daro_verl.workers.mini_batch import MiniBatch, Ranks

TITLE = "Scale"
RESPONSES = (2**14, 2**17, 2**20)
LENGTH = 8
"""Tokens: what is per token is in the part ``advantage``."""
RANKS, RANKS_OF_A_REPLICA = (1_000, 10_000, 100_000), 8
ROLLOUTS = (8, 64)
HOP_US = 20.0
ROUNDS = 5
ESTIMATORS = {
    "estimator, V1": ("in V1", "daro"),
    "grpo_vectorized, V1": ("in V1", "grpo_vectorized"),
    "estimator, V1, outputs: 1 or 2": ("in V1, outputs: 1 or 2", "daro"),
}
"""Name: call and estimator of the part ``advantage``."""
EXCHANGE = Path(__file__).parents[1] / "results" / "exchange.json"


def run() -> list[dict[str, Any]]:
    torch.set_num_threads(1)
    driver = [row for num_responses in RESPONSES for row in of_driver(num_responses)]
    ranks = [row for num_rollouts in ROLLOUTS for row in of_rank(num_rollouts)]
    messages = [*map(collectives, RANKS), *exchange(json.loads(EXCHANGE.read_text())["by_servers"])]
    return driver + ranks + messages


def of_driver(num_responses: int) -> list[dict[str, Any]]:
    """Estimators, verl's beside DARO's, on a step's responses."""
    functions = {
        name: advantage.functions_of(call, num_responses, LENGTH)[estimator]
        for name, (call, estimator) in ESTIMATORS.items()
    }
    return measured(functions, responses=num_responses)


def of_rank(num_rollouts: int) -> list[dict[str, Any]]:
    """What a rank does once per optimizer step besides the loss, and what it sends to the driver."""
    data, _ = loss_batch(num_rollouts, LENGTH, num_rollouts)
    weights, ranks = DifficultyWeights(num_rollouts), Ranks(None, True, 0, "cpu")
    metrics: dict[str, float] = {}

    def step() -> None:
        used, mini_batch = weights.weights(), MiniBatch(data, weights, ranks)
        losses, _ = mini_batch.losses(1.0)
        weights.step(losses, torch.ones(num_rollouts - 1))
        metrics.update(step_metrics(mini_batch, used, losses, weights))

    with one_rank():
        rows = measured({"rank, one optimizer step": step}, G=num_rollouts)
    message = pickle.dumps(metrics)
    rows += measured({"driver, one rank's metrics": lambda: pickle.loads(message)}, G=num_rollouts)
    return [rows[0], rows[1] | {"bytes": len(message)}] + [
        {
            "what": "driver, metrics of all data-parallel ranks",
            "G": num_rollouts,
            "ranks": num_ranks,
            "ms": rows[1]["ms"] * num_ranks / RANKS_OF_A_REPLICA,
            "bytes": len(message) * num_ranks // RANKS_OF_A_REPLICA,
            "how": "measured x ranks",
        }
        for num_ranks in RANKS
    ]


def collectives(num_ranks: int) -> dict[str, Any]:
    """Two all-reduces in the data-parallel group and one broadcast (half an all-reduce) to all, one step."""
    hops = 2 * 2 * math.log2(num_ranks / RANKS_OF_A_REPLICA) + math.log2(num_ranks)
    return {"what": "collectives of a step", "ranks": num_ranks, "ms": hops * HOP_US / 1000, "how": "arithmetic"}


def exchange(by_servers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The snapshot's way to the rollout servers, once a sync: the trainer's own time, and until all have confirmed, for
    which the trainer does not wait. Measured with all servers on the same two cores: more than their own would take."""
    few, many = (min(by_servers, key=_servers), max(by_servers, key=_servers))

    def at(name: str, servers: int) -> float:
        slope = (many[name] - few[name]) / (many["servers"] - few["servers"])
        return few[name] + slope * (servers - few["servers"])

    names = {"exchange, trainer's time": "trainer_ms", "exchange, all servers confirmed": "all_confirmed_ms"}
    return [
        {"what": what, "ranks": num_ranks, "ms": at(name, num_ranks // RANKS_OF_A_REPLICA), "how": "from exchange.json"}
        for what, name in names.items()
        for num_ranks in RANKS
    ]


def _servers(row: dict[str, Any]) -> int:
    return row["servers"]


def measured(functions: dict[str, Callable[[], object]], **columns: int) -> list[dict[str, Any]]:
    """A row for each, taken in turn."""
    seconds = interleave(functions, ROUNDS, clock=processor_clock)
    return [
        {"what": name, **columns, "ms": milliseconds({"": taken})[" ms"], "how": "measured"}
        for name, taken in seconds.items()
    ]


def aims(rows: list[dict[str, Any]]) -> list[Aim]:
    """How far the estimator is from linear: its time per response at the largest batch over that at the smallest."""
    per_response = [row["ms"] / row["responses"] for row in rows if row["what"] == "estimator, V1"]
    ratio = per_response[-1] / per_response[0] if per_response else None
    return [Aim("estimator's time per response, 1M responses / 16k", ratio, 2.0)]
