"""Collectives and reads of one optimizer step, on spawned ranks with verl's Megatron engine and the package's worker.
FSDP2: not run.

They are counted where torch dispatches them (``watching.py``), with GRPO and with DARO on the same batch. The table has
what DARO adds, on the rank that adds most. A read is a value that Python takes out of a tensor. If the tensor is on a
GPU, the host waits for it. DARO's weights are on the CPU, so most of its reads wait for nothing. The important point:
their number does not grow with the micro-batches.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.cost.aims import Aim
from tests.ranks import matrix
from tests.ranks.batch import NUM_ROLLOUTS

TITLE = "Communication and waiting, added to an optimizer step"
LAYOUTS = {"Megatron DP2": [], "Megatron TP2": ["--tp", "2"], "Megatron PP2": ["--pp", "2"]}
CASES = [(layout, NUM_ROLLOUTS) for layout in LAYOUTS] + [("Megatron DP2", 4 * NUM_ROLLOUTS)]
"""Layouts and ``G``: of the same batch, whose pass rates are multiples of a quarter, in more bins."""
KINDS = {"all-reduces": "allreduce", "broadcasts": "broadcast"}
NUM_ALL_REDUCES, NUM_BROADCASTS = 2, 1
BYTES_PER_BIN = 8 * 8
"""At most: six counts, one loss sum and one loss of every bin, float64, and the flag of the step."""


def run() -> list[dict[str, Any]]:
    return [row for case in CASES for row in measure(*case)]


def measure(layout: str, num_rollouts: int) -> list[dict[str, Any]]:
    arguments = [*LAYOUTS[layout], "--rollouts", str(num_rollouts)]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        done = matrix.torchrun(2, "benchmarks.cost.communication_ranks", "--out", str(out), *arguments)
        if done.returncode:
            raise RuntimeError(done.stdout[-3000:] + done.stderr[-6000:])
        records = json.loads(out.read_text())
    return [{"layout": layout, "G": num_rollouts, **row} for row in added(records)]


def added(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By number of micro-batches, what DARO's step has more than GRPO's on the rank where that is most."""
    by_step = {(r["micro-batches"], r["rank"], r["method"]): r for r in records}
    rows: dict[int, list[dict[str, int]]] = {}
    for num_micro_batches, rank, method in by_step:
        if method == "daro":
            plain, daro = (by_step[num_micro_batches, rank, name] for name in ("grpo", "daro"))
            rows.setdefault(num_micro_batches, []).append(difference(plain, daro))
    return [
        {"micro-batches": number} | {name: max(row[name] for row in ranks) for name in ranks[0]}
        for number, ranks in sorted(rows.items())
    ]


def difference(plain: dict[str, Any], daro: dict[str, Any]) -> dict[str, int]:
    """Counts and bytes of ``daro`` less those of ``plain``."""

    def sizes(record: dict[str, Any], kind: str | None = None) -> list[int]:
        return [n for name, each in record["collectives"].items() if kind in (None, name) for n in each]

    row = {name: len(sizes(daro, kind)) - len(sizes(plain, kind)) for name, kind in KINDS.items()}
    row["other collectives"] = len(sizes(daro)) - len(sizes(plain)) - sum(row.values())
    row["bytes"] = sum(sizes(daro)) - sum(sizes(plain))
    row["reads of a value"] = sum(daro["reads"].values()) - sum(plain["reads"].values())
    return row


def aims(rows: list[dict[str, Any]]) -> list[Aim]:
    def most(name: str) -> float | None:
        return max((row[name] for row in rows), default=None)

    return [
        Aim("all-reduces more than GRPO, per optimizer step", most("all-reduces"), NUM_ALL_REDUCES),
        Aim("broadcasts more", most("broadcasts"), NUM_BROADCASTS),
        Aim("other collectives more", most("other collectives"), 0),
        Aim("bytes communicated per bin", max((r["bytes"] / (r["G"] + 1) for r in rows), default=None), BYTES_PER_BIN),
        Aim("collectives more for a micro-batch more", growth(rows, *KINDS, "other collectives"), 0),
        Aim("reads of a value more for a micro-batch more", growth(rows, "reads of a value"), 0),
    ]


def growth(rows: list[dict[str, Any]], *names: str) -> float | None:
    """The largest difference within one case between numbers of micro-batches."""
    by_case: dict[tuple[str, int], list[int]] = {}
    for row in rows:
        by_case.setdefault((row["layout"], row["G"]), []).append(sum(row[name] for name in names))
    return max((max(values) - min(values) for values in by_case.values()), default=None)
