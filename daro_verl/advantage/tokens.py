"""Which tokens of each response train, in the two layouts that verl uses."""

from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class TrainingTokens:
    """How many tokens of each response train, and the first of them.

    The estimator writes the same value on all of a response's tokens that train, so one of them is enough. Only the
    mask is read in full. Nothing here waits for a device.

    Attributes:
        number: [num_responses] int64, how many tokens train.
        first: [num_responses] int64, the place of the first one in the tokens of all responses, one response after
            another. If none trains, it may be any place.
    """

    number: torch.Tensor
    first: torch.Tensor

    @classmethod
    def of(cls, response_mask: torch.Tensor) -> "TrainingTokens":
        """Find the training tokens in a mask.

        Args:
            response_mask: [num_responses, response_length] zeros and ones of any type, padded or nested (jagged).
        """
        ones, offsets = _flat(response_mask)
        before = torch.zeros(len(ones) + 1, dtype=torch.int64, device=ones.device)  # ones before each token
        torch.cumsum(ones, 0, dtype=torch.int64, out=before[1:])
        bounds = before[offsets]
        first = torch.searchsorted(before, bounds[:-1] + 1) - 1
        return cls(bounds.diff(), first.clamp(max=len(ones) - 1))

    def value(self, tokens: torch.Tensor) -> torch.Tensor:
        """[num_responses], the value of ``tokens`` on the first token that trains; 0 for a response without one.

        Args:
            tokens: [num_responses, response_length], padded or nested as the mask was.
        """
        values, _ = _flat(tokens)
        return torch.where(self.number > 0, values[self.first], 0)


def _flat(tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """All tokens, one response after another; and [num_responses + 1], the start of each response, then the end."""
    if not tokens.is_nested:
        num_responses, length = tokens.shape
        return tokens.reshape(-1), torch.arange(num_responses + 1, device=tokens.device) * length
    nested: Any = tokens  # torch's stubs know no offsets
    if nested.lengths() is not None:  # a view that leaves values out between its rows
        nested = nested.contiguous()
    return nested.values(), nested.offsets()
