"""Which metrics of a job share a chart, and which charts share a section."""

from typing import NamedTuple

from daro_verl.metric_set import FAULTS

BIN = r"\d+of\d+"
"""Bin ``k`` of ``G``, as metrics name it."""


class Chart(NamedTuple):
    """``metrics``: regular expressions that match a metric's whole name."""

    title: str
    metrics: tuple[str, ...]


SECTIONS = {
    "DARO": (
        Chart("Pass rate, and share of responses that teach nothing", ("actor/daro/(pass_rate|taught_nothing)",)),
        Chart("Smallest and largest difficulty weight", ("actor/daro/weights/(min|max)",)),
        Chart("Share of weights at a bound", ("actor/daro/weights_at_bound",)),
        Chart("Largest over smallest share of the loss", ("actor/daro/loss_share_ratio",)),
        Chart("Signal over noise of the losses (median)", ("actor/daro/loss_snr_median",)),
        Chart("Objective", ("actor/daro/objective",)),
        Chart("Responses generated, discarded and left out", ("daro/responses/(generated|discarded|not_generated)",)),
        Chart("Share of groups with right and wrong responses", ("daro/prompts/informative",)),
        Chart("Faults", tuple(f"actor/{name}" for name in sorted(FAULTS))),
    ),
    "The job": (
        Chart("Validation", ("val-core/.*/(acc|reward)/mean@.*",)),
        Chart("Response length", ("response_length/mean",)),
        Chart("Entropy", ("actor/entropy",)),
        Chart("Gradient norm", ("actor/grad_norm",)),
        Chart("Seconds per step", ("timing_s/step",)),
    ),
    "DARO by difficulty (algorithm.daro.metrics=all)": (
        Chart("Difficulty weight", (f"actor/daro/weight/{BIN}",)),
        Chart("Loss", (f"actor/daro/loss/{BIN}",)),
        Chart("Share of the loss", (f"actor/daro/loss_share/{BIN}",)),
        Chart("Share of responses", (f"actor/daro/response_share/{BIN}",)),
        Chart("Tokens of right responses", (f"actor/daro/length_right/{BIN}",)),
        Chart("Tokens of wrong responses", (f"actor/daro/length_wrong/{BIN}",)),
    ),
}
