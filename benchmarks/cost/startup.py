"""The start of the quickstart's job, up to the end of its first validation, as ``benchmarks/startup.py`` measures it.

That module has the parts of the start, this one has the sums. The first validation is the job's first rollout: verl
asks the rollout servers for responses to the validation prompts before the first step.
"""

from typing import Any

from benchmarks import startup
from benchmarks.cost.aims import Aim

TITLE = "Start of the quickstart's job"
RUNS = 2
LABEL = "present"


def run() -> list[dict[str, Any]]:
    return rows_of(startup.record(LABEL, RUNS, []))


def rows_of(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = {"to the first rollout s": "seconds_to_first_rollout", "in all s": "seconds_in_all"}
    names |= {"CPU s": "cpu_seconds_in_all", "load before": "load_before"}
    return [{title: run[name] for title, name in names.items()} for run in runs]


def aims(rows: list[dict[str, Any]]) -> list[Aim]:
    slowest = max((row["to the first rollout s"] for row in rows), default=None)
    return [Aim("start: seconds to the first rollout, slower run", slowest, 60)]
