"""How well the difficulty memory predicts pass rates, by its constants, on simulated models that learn.

1,000 prompts with normally distributed logits are visited in six passes, 8 responses each; their logits rise meanwhile,
each at a speed of its own. The error is that of the prediction just before a visit, root mean square over all visits
but those of the first pass. ``last visit``: a memory that predicts what a prompt did last time.

    python -m benchmarks.prediction    # two seconds
"""

from collections.abc import Callable
from itertools import product

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from daro_verl.prompts import memory

MODELS = {
    "does not learn": (0.0, 1.5, -1.5),
    "slow": (0.3, 1.5, -2.0),
    "slow, prompts that differ much": (0.3, 3.0, -2.0),
    "fast": (0.8, 1.5, -3.0),
    "fast, prompts all alike": (0.8, 0.0, -2.0),
}
"""Rise of the logits in a pass, their spread and mean before the first."""
NUM_PROMPTS, NUM_PASSES, NUM_STEPS, GROUP_SIZE = 1000, 6, 20, 8
KINSHIPS, KEPT = (4.0, 16.0, 64.0), (0.0, 0.25, 0.5, 0.75)
Predict = Callable[[memory.DifficultyMemory, np.ndarray], np.ndarray]


def by_memory(known: memory.DifficultyMemory, rows: np.ndarray) -> np.ndarray:
    return known.predict(rows).mean


def by_last_visit(known: memory.DifficultyMemory, rows: np.ndarray) -> np.ndarray:
    return known.prompts["last_pass_rate"][rows]


def error(predict: Predict, rise: float, spread: float, mean: float) -> float:
    """Root mean square of predicted minus true pass rate, with the constants as they are."""
    random, known = np.random.default_rng(0), memory.DifficultyMemory()
    ids, logits = np.arange(NUM_PROMPTS), random.normal(mean, spread, NUM_PROMPTS)
    speed = rise * random.lognormal(0, 0.5, NUM_PROMPTS)
    squares: list[np.ndarray] = []
    for number in range(NUM_PASSES):
        for step, part in enumerate(np.split(random.permutation(ids), NUM_STEPS), number * NUM_STEPS):
            rate = 1 / (1 + np.exp(-logits[part]))
            if number:
                squares.append((predict(known, known.rows(part)) - rate) ** 2)
            successes = random.binomial(GROUP_SIZE, rate).astype(float)
            known.observe(part, ["one"] * len(part), successes, np.full(len(part), float(GROUP_SIZE)), step)
            logits += speed / NUM_STEPS
    return float(np.sqrt(np.mean(squares)))


def main() -> None:
    table = Table("KINSHIP", "KEPT", *MODELS)
    for kinship, kept in track(list(product(KINSHIPS, KEPT)), "simulating"):
        memory.KINSHIP, memory.KEPT = kinship, kept
        table.add_row(f"{kinship:g}", f"{kept:g}", *(f"{error(by_memory, *model):.3f}" for model in MODELS.values()))
    table.add_row("last visit", "", *(f"{error(by_last_visit, *model):.3f}" for model in MODELS.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
