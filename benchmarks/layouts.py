"""The difference between DARO and its formula, on every parallel layout and every split of a batch.

Each layout runs three mini-batches on its own spawned ranks, with verl's engines in float32. One process computes the
formula on the Hugging Face model for comparison. Two more comparisons: with DARO off, which gives the engines' own
difference, and DARO's own arithmetic alone (``tests/unit/test_layout_arithmetic.py``).

    python -m benchmarks.layouts --out benchmarks/results/layouts.json        # about 6 minutes on 2 cores
"""

import argparse
import itertools
import json
import tempfile
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.platform.tiny_model import build
from tests.ranks import matrix
from tests.ranks.variants import VARIANTS
from tests.unit import test_layout_arithmetic as arithmetic

COLUMNS = ("gradient", "loss", "bin_losses", "tokens", "weights")


def own_part() -> float:
    """DARO's arithmetic alone: the largest difference over ranks, micro-batches, engines' regimes and orders."""
    cases = itertools.product((1, 2, 4), (1, 2, 5), arithmetic.REGIMES, arithmetic.ORDERS.values())
    return matrix.largest(arithmetic.largest_difference(*case) for case in cases)


def measure(layout: str, model: str, folder: Path) -> dict[str, float]:
    """Largest differences over the variants, per quantity; and of the gradient with DARO off."""
    result = matrix.train_all(model, folder / "out.pt", layout)
    found = {name: matrix.compare(model, result, name) for name in VARIANTS}
    off = found.pop("DARO off")
    row = {column: matrix.largest(getattr(difference, column) for difference in found.values()) for column in COLUMNS}
    return row | {"gradient, DARO off": off.gradient}


def show(rows: dict[str, dict[str, float]], own: float) -> None:
    table = Table("layout", *COLUMNS, "gradient, DARO off", title="Largest relative difference from the formula")
    for layout, row in rows.items():
        table.add_row(layout, *(f"{value:.1e}" for value in row.values()))
    Console(width=120).print(table)
    print(f"DARO's own arithmetic in float32: {own:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = str(build(Path(folder) / "model"))
        rows = {layout: measure(layout, model, Path(folder)) for layout in track(matrix.LAYOUTS, "layouts")}
    own = own_part()
    show(rows, own)
    if args.out:
        packages = {name: version(name) for name in ("verl", "megatron-core", "torch", "daro-verl")}
        result = {
            "command": "python -m benchmarks.layouts",
            "versions": packages,
            "variants": list(VARIANTS),
            "layouts": rows,
            "own arithmetic": own,
        }
        args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
