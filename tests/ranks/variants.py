"""The ways in which one batch is trained on every parallel layout."""

from dataclasses import dataclass

import torch

from tests.ranks.batch import NUM_ROLLOUTS, PROMPT_LENGTH, make_rows


@dataclass(frozen=True)
class Variant:
    """One way to train the same three mini-batches.

    Attributes:
        micro_batches: into which every rank splits its part of a mini-batch.
        dynamic: by tokens (any number of responses each) instead of by responses (verl's static size).
        loss: verl's policy loss that DARO sums by bin.
        order: seed of another order of the responses; 0 keeps the batch's own, which scatters every prompt.
        rejection: with rejected tokens and importance weights of verl's rollout correction.
        updates: ``epochs x mini-batches`` over the first batch, instead of one update for each batch.
        not_finite: column of the second batch that has a NaN, in a response of bin 2.
        weighting: of DARO.
        daro: False trains verl's plain loss (GRPO's aggregation) in verl's own worker: the engine's own bound.
    """

    micro_batches: int = 1
    dynamic: bool = False
    loss: str = "vanilla"
    order: int = 0
    rejection: bool = False
    updates: tuple[int, int] | None = None
    not_finite: str | None = None
    weighting: str = "paper"
    daro: bool = True

    def batches(self) -> list[dict[str, torch.Tensor]]:
        rows = make_rows(0, rejection=self.rejection)
        if self.order:
            permutation = torch.randperm(len(rows[0]["lengths"]), generator=torch.Generator().manual_seed(self.order))
            rows = [{name: value[permutation] for name, value in batch.items()} for batch in rows]
        if self.not_finite:
            first_of_bin_2 = int((rows[1]["returns"].abs().amax(dim=-1) * NUM_ROLLOUTS == 2).nonzero()[0])
            rows[1][self.not_finite][first_of_bin_2, 0] = float("nan")
        return rows[:1] if self.updates else rows

    def mini_batches(self, data_parallel_size: int) -> list[dict[str, torch.Tensor]]:
        """What each optimizer step sees, over all ranks: verl cuts every rank's part of the batch in order."""
        if not self.updates:
            return self.batches()
        (batch,), (epochs, num_mini_batches) = self.batches(), self.updates
        parts = [
            {name: torch.cat([part.chunk(num_mini_batches)[i] for part in value.chunk(data_parallel_size)])
             for name, value in batch.items()}
            for i in range(num_mini_batches)
        ]  # fmt: skip
        return parts * epochs

    def split(self, rows: dict[str, torch.Tensor]) -> dict[str, object]:
        """verl's settings of the split for one rank's ``rows``."""
        lengths = rows["lengths"] + PROMPT_LENGTH
        num_rows = len(lengths) // (self.updates[1] if self.updates else 1)
        slack = 0 if self.micro_batches == 1 else 8  # responses are whole: a micro-batch cannot be filled to the token
        limit = -(-int(lengths.sum()) // self.micro_batches) + slack
        return {
            "use_dynamic_bsz": self.dynamic,
            "micro_batch_size_per_gpu": num_rows // self.micro_batches,
            "max_token_len_per_gpu": limit,
        }


VARIANTS = {
    **{f"static {n}": Variant(n) for n in (1, 2, 5)},
    **{f"dynamic {n}": Variant(n, dynamic=True) for n in (1, 2, 5)},
    "another order": Variant(2, dynamic=True, order=1),
    "a third order": Variant(5, order=2),
    "gspo": Variant(2, dynamic=True, loss="gspo"),
    "rejection": Variant(2, dynamic=True, rejection=True),
    "2 epochs x 2 mini-batches": Variant(updates=(2, 2)),
    "learned by default": Variant(5, dynamic=True, weighting="learned"),
    "DARO off": Variant(2, dynamic=True, daro=False),
}
# What the tests run; benchmarks/layouts.py runs all. Each split is there once: static 1, 2, 5 and dynamic 2, 5.
TESTED = tuple(name for name in VARIANTS if name not in ("static 5", "dynamic 1", "dynamic 2", "dynamic 5"))
NOT_FINITE = {
    # PPO's clamps let no gradient through a NaN ratio: the loss is NaN, the gradient is finite
    "log-probability not finite": Variant(2, not_finite="old_log_probs"),
    "gradient not finite": Variant(2, not_finite="advantages"),
}
