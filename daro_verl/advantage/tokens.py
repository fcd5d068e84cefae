"""One value per token of each response, in the two layouts in which verl hands them over, and sums over a response."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Union

import torch


@dataclass(frozen=True)
class Tokens:
    """Padded or nested values of tokens. Nested ones are reduced as they are: padding them, and even asking a nested
    tensor for its values, costs more than the arithmetic of a mini-batch.

    Attributes:
        values: [num_responses, response_length]; of a nested (jagged) tensor [all tokens], one response after another.
        offsets: [num_responses + 1] int64, where each response begins in flat values; None if padded.
    """

    values: torch.Tensor
    offsets: torch.Tensor | None = None

    @classmethod
    def of(cls, tokens: Union[torch.Tensor, "Tokens"]) -> "Tokens":
        """A padded or nested tensor as it is; of what is ``Tokens`` already, itself."""
        if isinstance(tokens, Tokens):
            return tokens
        if not tokens.is_nested:
            return cls(tokens)
        nested: Any = tokens  # torch's stubs know no offsets
        if nested.lengths() is not None:  # a view that leaves values out between its rows
            nested = nested.contiguous()
        return cls(nested.values(), nested.offsets())

    def with_values(self, values: torch.Tensor) -> "Tokens":
        return replace(self, values=values)

    def sum(self) -> torch.Tensor:
        """[num_responses], of values in floating point (nested) or of any type (padded)."""
        if self.offsets is None:
            return self.values.sum(dim=-1)
        return torch.segment_reduce(self.values, "sum", offsets=self.offsets, unsafe=True, initial=0.0)

    def largest_size(self) -> torch.Tensor:
        """[num_responses], the maximum of ``|value|``, values in floating point; 0 for a response without a token."""
        if self.offsets is None:
            return self.values.abs().amax(dim=-1)
        return torch.segment_reduce(self.values.abs(), "max", offsets=self.offsets, unsafe=True, initial=0.0)

    @cached_property
    def num_ones(self) -> torch.Tensor:
        """[num_responses] float64, of a mask of zeros and ones of any type."""
        return (self.sum() if self.offsets is None else self.with_values(self.values.float()).sum()).double()
