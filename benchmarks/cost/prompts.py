"""The difficulty memory on the driver: a million prompts, steps of 512, against verl's own sampler of prompts.

*step*: 512 prompts are drawn with ``prompts=informative`` and, once they have ended, compared with what was predicted
and taken into the memory. *draw*, *remember*: its parts. *remember, new prompts*: those that the memory has not met, as
in the first pass of a job in verl's order. *verl draws*: ``RandomSampler`` of torchdata, which verl uses. *save*,
*read*: the file, once per checkpoint. *first*: what a job pays once, the data set's numbers in the memory.

Milliseconds of processor time of one thread; bytes of the arrays and of the file.
"""

import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchdata.stateful_dataloader.sampler import RandomSampler

from benchmarks.cost.aims import Aim
from benchmarks.cost.timing import interleave, milliseconds, processor_clock
from daro_verl.prompts import memory_file
from daro_verl.prompts.memory import DifficultyMemory
from daro_verl.prompts.sampler import PromptSampler
from daro_verl.prompts.selection import chances, informative, informative_probability

TITLE = "Choosing prompts"
NUM_PROMPTS, STEP, NUM_ROLLOUTS = 1_000_000, 512, 8
ROUNDS, SLOW_ROUNDS = 30, 3
BOUND_MS, BOUND_MEGABYTES = 20.0, 100.0


def run() -> list[dict[str, Any]]:
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    ids = random.integers(0, 2**63, NUM_PROMPTS).astype(np.uint64)
    memory = known_memory(random, ids)
    accept = informative(NUM_ROLLOUTS, lambda: np.ones(NUM_ROLLOUTS - 1))
    sampler = PromptSampler(
        NUM_PROMPTS, lambda places: chances(memory, memory.rows(ids[places]), accept), lambda: memory.version
    )
    ours, verls = iter(sampler), iter(RandomSampler(range(NUM_PROMPTS)))

    def draw() -> np.ndarray:
        return ids[np.array(list(islice(ours, STEP)))]

    def remember(prompts: np.ndarray) -> None:
        informative_probability(memory.predict(memory.rows(prompts)), NUM_ROLLOUTS)
        successes = random.binomial(NUM_ROLLOUTS, 0.2, STEP).astype(float)
        memory.observe(prompts, ["math"] * STEP, successes, np.full(STEP, float(NUM_ROLLOUTS)), 1)

    some = draw()

    def meet() -> None:
        new = random.integers(0, 2**63, STEP).astype(np.uint64)
        memory.observe(new, ["math"] * STEP, np.ones(STEP), np.full(STEP, float(NUM_ROLLOUTS)), 1)

    functions = {
        "step": lambda: remember(draw()),
        "draw": draw,
        "remember": lambda: remember(some),
        "remember, new prompts": meet,
        "verl draws": lambda: list(islice(verls, STEP)),
    }
    rows = measured(functions, ROUNDS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, memory_file.FILE_NAME)
        slow = {
            "save": lambda: memory_file.write(memory, path, {}),
            "read": lambda: memory_file.read(path),
            "first": lambda: DifficultyMemory().add(ids, ["math"] * NUM_PROMPTS),
        }
        rows += measured(slow, SLOW_ROUNDS)
        rows.append({"what": "file", "megabytes": path.stat().st_size / 1e6})
    return [*rows, {"what": "memory", "megabytes": sum(column.nbytes for column in memory.prompts.values()) / 1e6}]


def known_memory(random: np.random.Generator, ids: np.ndarray) -> DifficultyMemory:
    """Every prompt seen twice, most of them hard."""
    memory, full = DifficultyMemory(), np.full(NUM_PROMPTS, float(NUM_ROLLOUTS))
    rates = random.beta(0.4, 1.6, NUM_PROMPTS)
    for step in range(2):
        successes = random.binomial(NUM_ROLLOUTS, rates).astype(float)
        memory.observe(ids, ["math"] * NUM_PROMPTS, successes, full, step)
    return memory


def measured(functions: dict[str, Any], rounds: int) -> list[dict[str, Any]]:
    seconds = interleave(functions, rounds, clock=processor_clock)
    return [{"what": name, "ms": milliseconds({"": taken})[" ms"]} for name, taken in seconds.items()]


def aims(rows: list[dict[str, Any]]) -> list[Aim]:
    found = {row["what"]: row for row in rows}
    return [
        Aim("ms of a step at a million prompts", found.get("step", {}).get("ms"), BOUND_MS),
        Aim("megabytes of a million prompts", found.get("memory", {}).get("megabytes"), BOUND_MEGABYTES),
    ]
