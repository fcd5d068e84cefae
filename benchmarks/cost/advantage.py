"""The advantage estimator on the driver, beside verl's own ``grpo`` and ``grpo_vectorized``, as verl calls them.

*plain*: the registered estimator, as the older trainers call it. *in V1*: verl's
``compute_advantage_for_multi_trajectories`` on a ``DataProto``, with the keys of all outputs, as V1 trainers call it.
Each session has one output. In the last rows, every second session has two. verl sends ``grpo`` through its own loop
over keys there, and ``grpo_vectorized`` straight to the estimator.

One thread. Milliseconds of processor time of one call on a batch of responses x length; ``G`` responses to a prompt.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from verl import DataProto
from verl.trainer.ppo.core_algos import get_adv_estimator_fn
from verl.trainer.ppo.v1 import utils as v1

from benchmarks.cost.aims import Aim, largest_ratio
from benchmarks.cost.batches import outcome_batch
from benchmarks.cost.timing import compare, interleave, milliseconds, processor_clock
from daro_verl.config import DaroConfig

TITLE = "Advantage estimator"
SIZES = ((1024, 256), (8192, 256), (65536, 32))
NUM_ROLLOUTS = 8
ESTIMATORS = ("grpo", "grpo_vectorized", "daro")
CONFIG = {"daro": {**DaroConfig().to_dict(), "num_rollouts": NUM_ROLLOUTS}}
CALLS = ("plain", "in V1", "in V1, outputs: 1 or 2")
ROUNDS_OF_TOKENS = {1024 * 256: 100}
FEWEST_ROUNDS = 25


def run() -> list[dict[str, Any]]:
    torch.set_num_threads(1)
    return [measure(call, *size) for call in CALLS for size in SIZES]


def measure(call: str, num_responses: int, length: int) -> dict[str, Any]:
    functions = functions_of(call, num_responses, length)
    rounds = ROUNDS_OF_TOKENS.get(num_responses * length, FEWEST_ROUNDS)
    seconds = interleave(functions, rounds, clock=processor_clock)
    row = {"call": call, "responses": num_responses, "length": length, **milliseconds(seconds)}
    row["µs per response"] = 1000 * row["daro ms"] / num_responses
    return row | compare(seconds, "daro", "grpo_vectorized")


def functions_of(call: str, num_responses: int, length: int) -> dict[str, Callable[[], Any]]:
    batch = outcome_batch(num_responses, length, NUM_ROLLOUTS)
    if call == "plain":
        return {name: partial(get_adv_estimator_fn(name), config=CONFIG, **batch) for name in ESTIMATORS}
    data = v1_data(batch)
    keys = keys_of(batch["index"], several_outputs=call != "in V1")
    compute = v1.compute_advantage_for_multi_trajectories
    return {name: partial(compute, data, keys, name, num_repeat=NUM_ROLLOUTS, config=CONFIG) for name in ESTIMATORS}


def v1_data(batch: dict[str, Any]) -> DataProto:
    tensors = {name: batch[name] for name in ("token_level_rewards", "response_mask")}
    return DataProto.from_dict(tensors=tensors, non_tensors={"uid": batch["index"]})


def keys_of(index: Any, several_outputs: bool = False) -> list[str]:
    """verl's ``{uid}_{session}_{output}`` of every row; with ``several_outputs`` of prompts' rows 0, 1, 2, 3, ... the
    first two are one session, the third is one, and so on."""
    seen: dict[str, int] = {}
    keys = []
    for uid in index:
        row = seen[uid] = seen.get(uid, -1) + 1
        third, place = divmod(row, 3)
        session, output = (2 * third + place // 2, place % 2) if several_outputs else (row, 0)
        keys.append(f"{uid}_{session}_{output}")
    return keys


def aims(rows: list[dict[str, Any]]) -> list[Aim]:
    """Judged where each session has one output, as in all jobs but those of multi-output agent loops."""
    of_call = {call: [row for row in rows if row["call"] == call] for call in CALLS[:2]}
    return [largest_ratio(f"estimator, {call} / grpo_vectorized, largest", own, 1.0) for call, own in of_call.items()]
