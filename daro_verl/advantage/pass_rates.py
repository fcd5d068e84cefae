"""Send the pass rate of each response's prompt from the driver, which sees whole prompts, to the actor workers.

verl passes on the column ``returns`` of the estimator. Only a critic would read it, and DARO has none. So the column
carries one number per response, on all of its tokens that train:

- ``mu`` if the response succeeded;
- ``-mu`` if it failed;
- :data:`LOST` if its reward is NaN or infinite.
"""

from dataclasses import dataclass

import torch

from daro_verl.advantage.groups import PromptGroups
from daro_verl.advantage.tokens import TrainingTokens
from daro_verl.objective import bin_of_pass_rate

LOST = -2.0


@dataclass(frozen=True)
class PassRates:
    """What the workers know about each response of a mini-batch.

    Attributes:
        rate: [num_responses] ``mu`` of the prompt; 0 for padding, for lost responses, and if nothing was solved.
        success: [num_responses] bool.
        lost: [num_responses] bool, whether its reward is NaN or infinite.
    """

    rate: torch.Tensor
    success: torch.Tensor
    lost: torch.Tensor

    def bins(self, num_rollouts: int) -> torch.Tensor:
        """[num_responses] int64 ``k``. Padding and lost responses are in bin 0, which teaches nothing."""
        return bin_of_pass_rate(self.rate, num_rollouts)


def written_pass_rates(groups: PromptGroups) -> torch.Tensor:
    """[num_responses] float64, the number that each response carries; 0 for padding."""
    rate = groups.pass_rate[groups.prompt_of]
    signed = torch.where(groups.success, rate, -rate)
    return torch.where(groups.counted, signed, torch.where(groups.lost, LOST, 0.0))


def read_pass_rates(returns: torch.Tensor, response_mask: torch.Tensor | TrainingTokens) -> PassRates:
    """Read the numbers of :func:`written_pass_rates`.

    Args:
        returns: [num_responses, response_length], padded, or nested as the mask is.
        response_mask: [num_responses, response_length], 1 on tokens that train; or the tokens found in it.
    """
    if isinstance(response_mask, torch.Tensor):
        response_mask = TrainingTokens.of(response_mask)
    signed = response_mask.value(returns)
    lost = signed == LOST
    return PassRates(torch.where(lost, 0.0, signed.abs()), signed > 0, lost)
