"""The responses of one round: one batch of prompts, or dynamic sampling until enough prompts are informative."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from benchmarks.convergence.model import Decoder
from benchmarks.convergence.sampling import sample
from benchmarks.convergence.streams import SAMPLING, torch_stream
from benchmarks.convergence.task import PAD, Problems, is_right

MAX_GENERATIONS = 3  # batches of prompts per round, with dynamic sampling


@dataclass(frozen=True)
class Rollout:
    """Responses of ``n`` prompts, those of a prompt next to each other.

    Attributes:
        prompts: [n, P].
        responses: [n, G, R].
        mask: [n, G, R] bool, the tokens of the responses, their end included.
        log_probs: [n, G, R], of the model that sampled; 0 after the end.
        rewards: [n, G], 0 or 1.
        num_generated: responses generated for this round, those thrown away included.
        num_generated_tokens: their tokens.
    """

    prompts: torch.Tensor
    responses: torch.Tensor
    mask: torch.Tensor
    log_probs: torch.Tensor
    rewards: torch.Tensor
    num_generated: int
    num_generated_tokens: int

    def __len__(self) -> int:
        return len(self.prompts)

    def pick(self, prompts: torch.Tensor) -> "Rollout":
        """Some of the prompts, by mask or index."""
        return Rollout(*(part[prompts] for part in self.per_prompt()), self.num_generated, self.num_generated_tokens)

    def per_prompt(self) -> tuple[torch.Tensor, ...]:
        """Everything that has a row for each prompt."""
        return self.prompts, self.responses, self.mask, self.log_probs, self.rewards

    def successes(self) -> torch.Tensor:
        """[n] int64, ``k``: right responses of each prompt."""
        return self.rewards.sum(dim=1).long()

    def informative(self) -> torch.Tensor:
        """[n] bool: the pass rate is neither 0 nor 1."""
        return (self.rewards.mean(dim=1) > 0) & (self.rewards.mean(dim=1) < 1)


def generate(model: Decoder, problems: Problems, group_size: int, seed: int, step: int, generation: int) -> Rollout:
    """Batch ``generation`` of round ``step``: ``G`` responses to each problem, with noise of the seed."""
    prompts, noise = problems.prompts(), torch_stream(seed, SAMPLING, step, generation)
    responses, log_probs = sample(model, problems, group_size, noise)
    right = is_right(responses, problems.results().repeat_interleave(group_size, 0))
    rewards = right.view(len(problems), group_size).float()
    return graded(
        prompts, *(part.view(*rewards.shape, -1) for part in (responses, responses != PAD, log_probs)), rewards
    )


def graded(
    prompts: torch.Tensor, responses: torch.Tensor, mask: torch.Tensor, log_probs: torch.Tensor, rewards: torch.Tensor
) -> Rollout:
    """One batch as it was generated: all of its responses count."""
    return Rollout(prompts, responses, mask, log_probs, rewards, rewards.numel(), int(mask.sum()))


def roll_out(generate: Callable[[int], Rollout], num_prompts: int, dynamic_sampling: bool) -> Rollout:
    """The responses to train on, from ``generate(i)``, which generates the ``i``-th batch of the round.

    With dynamic sampling (DAPO) prompts whose pass rate is 0 or 1 are thrown away and further batches are generated,
    at most three in all, until ``num_prompts`` are left; what is beyond is thrown away too. Of an endless stream the
    first batch has the prompts that every other method sees; of a finite set each batch has the next ones of the pass.
    """
    batches = [generate(0)]
    if not dynamic_sampling:
        return batches[0]
    while _num_informative(batches) < num_prompts and len(batches) < MAX_GENERATIONS:
        batches.append(generate(len(batches)))
    return _join([batch.pick(batch.informative()) for batch in batches], num_prompts)


def _num_informative(batches: list[Rollout]) -> int:
    return sum(int(batch.informative().sum()) for batch in batches)


def _join(batches: list[Rollout], num_prompts: int) -> Rollout:
    parts = zip(*(batch.per_prompt() for batch in batches), strict=True)
    joined = (torch.cat(part)[:num_prompts] for part in parts)
    num_generated = sum(batch.num_generated for batch in batches)
    return Rollout(*joined, num_generated, sum(batch.num_generated_tokens for batch in batches))
