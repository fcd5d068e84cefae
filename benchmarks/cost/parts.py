"""The parts of the benchmark, in the order of the report. Each is a module with ``TITLE``, ``run()`` and ``aims()``.

``run()`` returns the rows of the part's table, as dictionaries of column and value. It raises :class:`NotRun` if this
machine cannot run the part. ``aims(rows)`` compares them with their bounds.
"""

import importlib
from types import ModuleType

PARTS = ("advantage", "loss", "communication", "update", "step", "startup", "scale", "prompts", "gpu")


class NotRun(Exception):
    """Why a part cannot run here, in plain words."""


def module_of(part: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.cost.{part}")
