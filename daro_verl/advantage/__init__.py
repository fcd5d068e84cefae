"""Pass rates, difficulty bins, weightings and advantages: pure functions on tensors, no verl."""

from daro_verl.advantage.estimator import compute_daro_advantage
from daro_verl.advantage.groups import PromptGroups, final_rows, group_by_prompt
from daro_verl.advantage.pass_rates import PassRates, read_pass_rates
from daro_verl.advantage.weighting import Weighting, find_weighting, weighting_names
from daro_verl.advantage.weightings import (
    DAPO,
    GRPO,
    LIPO,
    ClosedForm,
    DrGRPO,
    Focal,
    InverseVariance,
    Learned,
    Paper,
    Uniform,
)

__all__ = [
    "ClosedForm",
    "DAPO",
    "DrGRPO",
    "Focal",
    "GRPO",
    "InverseVariance",
    "LIPO",
    "Learned",
    "Paper",
    "PassRates",
    "PromptGroups",
    "Uniform",
    "Weighting",
    "compute_daro_advantage",
    "final_rows",
    "find_weighting",
    "group_by_prompt",
    "read_pass_rates",
    "weighting_names",
]
