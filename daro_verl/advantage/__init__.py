"""Pass rates, difficulty bins, weightings and advantages: pure functions on tensors, no verl."""

from daro_verl.advantage.bins import bin_of_pass_rate, response_bins
from daro_verl.advantage.estimator import compute_daro_advantage
from daro_verl.advantage.groups import PromptGroups, group_by_prompt
from daro_verl.advantage.sessions import final_rows
from daro_verl.advantage.weighting import Weighting, find_weighting, weighting_names
from daro_verl.advantage.weightings import (
    DAPO,
    GRPO,
    LIPO,
    ClosedForm,
    DrGRPO,
    InverseVariance,
    Learned,
    Paper,
    Uniform,
)

__all__ = [
    "ClosedForm",
    "DAPO",
    "DrGRPO",
    "GRPO",
    "InverseVariance",
    "LIPO",
    "Learned",
    "Paper",
    "PromptGroups",
    "Uniform",
    "Weighting",
    "bin_of_pass_rate",
    "compute_daro_advantage",
    "final_rows",
    "find_weighting",
    "group_by_prompt",
    "response_bins",
    "weighting_names",
]
