"""Validation over several data sets as one pass rate."""

import pandas as pd

VALIDATION = "validation"


def average_over_sources(by_source: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Validation as the unweighted mean over data sources, as quantity ``validation``, and notes.

    Only sources that every run logged count, so that methods are compared on the same; all of a run's own where there
    are no such. A step counts if it has all of the run's sources.
    """
    notes = []
    per_run = by_source.groupby("run")["quantity"].agg(set)
    common = set.intersection(*per_run) if len(per_run) else set()
    everything = set().union(*per_run)
    if common and common != everything:
        notes.append(f"The mean is over {', '.join(sorted(common))}: not every run validated on the others.")
        by_source = by_source[by_source["quantity"].isin(common)]
    elif everything and not common:
        notes.append("No data set was validated by every run: each mean is over the run's own, which differ.")
    keys = ["method", "run", "step"]
    rates = by_source.groupby([*keys, "quantity"], sort=False)["value"].mean()
    groups = rates.groupby(keys, sort=False)
    wanted = by_source.groupby("run")["quantity"].nunique()
    average = pd.DataFrame({"value": groups.mean(), "count": groups.size()}).reset_index()
    average = average[average["count"] == average["run"].map(wanted)].drop(columns="count")
    return average.assign(quantity=VALIDATION, num_rollouts=0, bin=0), notes
