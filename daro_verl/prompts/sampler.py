"""The order of the prompts: pass after pass through the data set. Each pass accepts some and leaves others out."""

from collections.abc import Callable, Hashable, Iterator
from typing import Any

import numpy as np
from torch.utils.data import Sampler

from daro_verl.errors import DaroCheckpointError

CHUNK = 256
"""The number of prompts whose acceptance is computed at once."""


class PromptSampler(Sampler[int]):
    """Yields positions in the data set, without end. In one pass, a prompt comes at most once.

    A pass is a permutation and a uniform number per prompt, both from the seed and the number of the pass. A prompt is
    accepted if its number is below its probability. So pass and place are the whole state. If the memory is the same, a
    job that resumes goes on with exactly the same prompts.
    """

    def __init__(
        self,
        num_prompts: int,
        accept: Callable[[np.ndarray], np.ndarray],
        version: Callable[[], Hashable],
        seed: int = 0,
        on_skip: Callable[[int], None] = lambda num_prompts: None,
        data: str = "",
    ) -> None:
        """Make the sampler of one data set.

        Args:
            num_prompts: size of the data set.
            accept: returns the current probabilities [N] of positions [N].
            version: returns a value that changes whenever probabilities may have changed.
            seed: seed of the order.
            on_skip: called with the number of prompts left out, as soon as they are.
            data: says which data set it is, so that a resumed job knows whether it still has the same one.
        """
        self.num_prompts, self.accept, self.version = num_prompts, accept, version
        self.seed, self.on_skip, self.data = seed, on_skip, data

    @property
    def order(self) -> dict[str, Any]:
        """The values on which the order of a pass depends."""
        return {"seed": self.seed, "num_prompts": self.num_prompts, "data": self.data}

    def __len__(self) -> int:
        """The length of a pass that leaves nothing out, which is verl's idea of an epoch."""
        return self.num_prompts

    def __iter__(self) -> "PromptIterator":
        return PromptIterator(self)


class PromptIterator(Iterator[int]):
    """One iteration over the prompts. torchdata saves it as ``Stateful``."""

    def __init__(self, sampler: PromptSampler) -> None:
        self.sampler = sampler
        self._begin(number=0, place=0)

    def __next__(self) -> int:
        while True:
            skipped, position = self._look_ahead()
            if skipped:
                self.sampler.on_skip(skipped)
            if position is not None:
                return position

    def state_dict(self) -> dict[str, Any]:
        """The pass, the place in it, and the values on which the order depends."""
        return {"pass": self.number, "place": self.place, **self.sampler.order}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state. With another data set or seed, go on from the start of a new pass.

        Raises:
            DaroCheckpointError: another class saved the state.
        """
        if not {"pass", "place", "seed", "num_prompts"} <= state.keys():
            expected, fix = "the place in the prompts of a DARO job", "resume with algorithm.daro.prompts=uniform"
            raise DaroCheckpointError("data.pt", got=sorted(state), expected=expected, fix=fix)
        own = self.sampler.order
        is_same = {name: state.get(name, own[name]) for name in own} == own  # earlier states have no data
        self._begin(*((state["pass"], state["place"]) if is_same else (state["pass"] + 1, 0)))

    def _begin(self, number: int, place: int) -> None:
        own = self.sampler
        random = np.random.default_rng([own.seed, number])
        self.number, self.place = number, place
        self._order = random.permutation(own.num_prompts)
        self._uniform = random.random(own.num_prompts)
        self._chunk: tuple[Hashable, np.ndarray] = (None, np.empty(0))

    def _look_ahead(self) -> tuple[int, int | None]:
        """How many prompts are left out, and the next one accepted; None if the chunk ends before one is accepted."""
        if self.place == len(self._order):
            self._begin(self.number + 1, 0)
        accepted = self._accepted()[self.place % CHUNK :]
        skipped = int(accepted.argmax()) if accepted.any() else len(accepted)
        self.place += skipped
        if skipped == len(accepted):
            return skipped, None
        self.place += 1
        return skipped, int(self._order[self.place - 1])

    def _accepted(self) -> np.ndarray:
        """Which prompts of the current chunk are accepted. This is computed anew once the version has changed."""
        start = self.place - self.place % CHUNK
        key = (start, self.sampler.version())
        if self._chunk[0] != key:
            chunk = slice(start, start + CHUNK)
            self._chunk = key, self._uniform[chunk] < self.sampler.accept(self._order[chunk])
        return self._chunk[1]
