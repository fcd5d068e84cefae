"""The advantage estimator on the driver, as verl calls it, against verl's own ``grpo`` and ``grpo_vectorized``.

One thread. Milliseconds of processor time of one call on a batch of responses x length; ``G`` responses to a prompt.
"""

from functools import partial
from typing import Any

import torch
from verl.trainer.ppo.core_algos import get_adv_estimator_fn

from benchmarks.cost.aims import Aim
from benchmarks.cost.batches import outcome_batch
from benchmarks.cost.timing import compare, interleave, milliseconds, processor_clock
from daro_verl.driver import drain_pass_rates

TITLE = "Advantage estimator"
SIZES = ((1024, 256), (8192, 256), (65536, 32))
NUM_ROLLOUTS = 8
ESTIMATORS = ("grpo", "grpo_vectorized", "daro")
CONFIG = {"daro": {"num_rollouts": NUM_ROLLOUTS, "success_threshold": 0.5}}
ROUNDS_OF_TOKENS = {1024 * 256: 60}
FEWEST_ROUNDS = 15


def run() -> list[dict[str, Any]]:
    torch.set_num_threads(1)
    return [measure(num_responses, length) for num_responses, length in SIZES]


def measure(num_responses: int, length: int) -> dict[str, Any]:
    batch = outcome_batch(num_responses, length, NUM_ROLLOUTS)
    functions = {name: partial(get_adv_estimator_fn(name), config=CONFIG, **batch) for name in ESTIMATORS}
    rounds = ROUNDS_OF_TOKENS.get(num_responses * length, FEWEST_ROUNDS)
    seconds = interleave(functions, rounds, clock=processor_clock)
    drain_pass_rates()
    row = {"responses": num_responses, "length": length, **milliseconds(seconds)}
    row["µs per response"] = 1000 * row["daro ms"] / num_responses
    return row | compare(seconds, "daro", "grpo_vectorized")


def aims(rows: list[dict[str, Any]]) -> list[Aim]:
    worst = max((row["ratio"] for row in rows), default=None)
    return [Aim("estimator / grpo_vectorized, largest ratio", worst, 1.0)]
