"""The metrics that the report reads, by their names in verl and DARO, and tidy tables of them.

A tidy table has one number per row, in these columns: ``method``, ``run``, ``step``, ``quantity``, ``num_rollouts``,
``bin`` and ``value``. ``num_rollouts`` and ``bin`` are G and k of a metric named ``{k}of{G}``, else 0.
"""

import re
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

TIDY_COLUMNS = ["method", "run", "step", "quantity", "num_rollouts", "bin", "value"]

ENTROPY = "actor/entropy"
RESPONSE_LENGTH = "response_length/mean"
REWARD = "critic/rewards/mean"
SCORE = "critic/score/mean"

PER_BIN = {
    "weight": "actor/daro/weight",
    "loss": "actor/daro/loss",
    "loss_on_policy": "actor/daro/loss_on_policy",
    "loss_gap": "actor/daro/loss_gap",
    "loss_snr": "actor/daro/loss_snr",
    "loss_share": "actor/daro/loss_share",
    "length_right": "actor/daro/length_right",
    "length_wrong": "actor/daro/length_wrong",
    "token_share_right": "actor/daro/token_share_right",
    "token_share_wrong": "actor/daro/token_share_wrong",
    "response_share": "actor/daro/response_share",
    "prompt_share": "daro/pass_rate",  # of earlier versions of daro-verl
}
SCALARS = {
    "entropy": ENTROPY,
    "response_length": RESPONSE_LENGTH,
    "reward": REWARD,
    "score": SCORE,
    "loss_share_ratio": "actor/daro/loss_share_ratio",
    "informative": "daro/prompts/informative",
    "informative_predicted": "daro/prompts/informative_predicted",
    "brier": "daro/prompts/brier",
    "tokens_generated": "daro/tokens/generated_so_far",
    "tokens_trained": "daro/tokens/trained_so_far",
    "tokens_discarded": "daro/tokens/discarded_so_far",
    "tokens_not_generated": "daro/tokens/not_generated_so_far",
}
BIN = re.compile(r"^(?P<family>.+)/(?P<k>\d{1,4})of(?P<num_rollouts>\d{1,4})$")
# verl's validation: val-core/<data source, may contain slashes>/<acc or reward>/mean@<responses per prompt>
VALIDATION_FAMILY = "val-core"
VALIDATION = re.compile(r"^val-core/(?P<source>.+)/(?P<variable>acc|reward)/mean@\d+$")

_QUANTITY_OF_FAMILY = {name: quantity for quantity, name in PER_BIN.items()}
_SCALAR_NAMES = set(SCALARS.values())


def family(metric: str) -> str:
    """The metric without its bin. All validation metrics are one family. A resumed job repeats whole families."""
    if metric.startswith(f"{VALIDATION_FAMILY}/"):
        return VALIDATION_FAMILY
    match = BIN.match(metric)
    return match["family"] if match else metric


def is_drawn(metric: str) -> bool:
    """Whether a figure or table of the report uses a metric."""
    if metric in _SCALAR_NAMES or VALIDATION.match(metric):
        return True
    match = BIN.match(metric)
    return match is not None and match["family"] in _QUANTITY_OF_FAMILY


def tidy(method: str, run: str, history: pd.DataFrame, columns: Mapping[str, tuple[str, int, int]]) -> pd.DataFrame:
    """The finite values of some columns of a run's history.

    Args:
        history: index ``step``, a column per metric.
        columns: (quantity, G, k) by metric.
    """
    long = history[list(columns)].rename_axis("step").reset_index().melt("step", var_name="metric")
    long = long[np.isfinite(long["value"])]
    keys = pd.DataFrame([columns[metric] for metric in long["metric"]], columns=["quantity", "num_rollouts", "bin"])
    keys = keys.set_index(long.index).assign(method=method, run=run)
    return long.join(keys)[TIDY_COLUMNS].reset_index(drop=True)


def scalar_columns(history: pd.DataFrame, quantities: Iterable[str]) -> dict[str, tuple[str, int, int]]:
    """The columns of metrics that have no bin."""
    return {SCALARS[name]: (name, 0, 0) for name in quantities if SCALARS[name] in history.columns}


def bin_columns(history: pd.DataFrame, quantities: Iterable[str]) -> dict[str, tuple[str, int, int]]:
    """The columns of metrics per difficulty bin, with the bins that the run logged."""
    wanted, found = set(quantities), {}
    for metric in history.columns:
        match = BIN.match(metric)
        if match is None:
            continue
        quantity = _QUANTITY_OF_FAMILY.get(match["family"], "")
        if quantity in wanted and 0 <= int(match["k"]) <= int(match["num_rollouts"]):
            found[metric] = (quantity, int(match["num_rollouts"]), int(match["k"]))
    return found


def validation_columns(history: pd.DataFrame) -> dict[str, tuple[str, int, int]]:
    """The columns of validation, with ``source/variable`` as quantity, for any number of responses per prompt."""
    matches = {metric: VALIDATION.match(metric) for metric in history.columns}
    return {metric: (f"{match['source']}/{match['variable']}", 0, 0) for metric, match in matches.items() if match}


def empty_tidy() -> pd.DataFrame:
    """A tidy table without rows."""
    return pd.DataFrame({name: pd.Series(dtype="object" if name in ("method", "run", "quantity") else "float64")
                         for name in TIDY_COLUMNS})  # fmt: skip
