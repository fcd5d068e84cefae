"""Pass rates, difficulty bins and centred advantages: pure functions on tensors, no verl."""

from daro_verl.advantage.bins import bin_counts, bin_of_pass_rate, response_bins
from daro_verl.advantage.estimator import compute_daro_advantage
from daro_verl.advantage.groups import PromptGroups, group_by_prompt
from daro_verl.advantage.sessions import final_rows

__all__ = [
    "PromptGroups",
    "bin_of_pass_rate",
    "bin_counts",
    "compute_daro_advantage",
    "final_rows",
    "group_by_prompt",
    "response_bins",
]
