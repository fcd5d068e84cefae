"""The responses of one round: one batch of prompts, or dynamic sampling until enough of them are informative."""

from dataclasses import dataclass

import torch

from benchmarks.convergence.model import Decoder
from benchmarks.convergence.regimes import Regime
from benchmarks.convergence.sampling import sample
from benchmarks.convergence.streams import SAMPLING, torch_stream, training_problems
from benchmarks.convergence.task import is_right

MAX_GENERATIONS = 3  # batches of prompts per round, with dynamic sampling


@dataclass(frozen=True)
class Rollout:
    """Responses of ``n`` prompts, those of a prompt next to each other.

    Attributes:
        prompts: [n, P].
        responses: [n, G, R].
        log_probs: [n, G, R], of the model that sampled; 0 after the end.
        rewards: [n, G], 0 or 1.
        num_generated: responses generated for this round, those thrown away included.
    """

    prompts: torch.Tensor
    responses: torch.Tensor
    log_probs: torch.Tensor
    rewards: torch.Tensor
    num_generated: int

    def __len__(self) -> int:
        return len(self.prompts)

    def pick(self, prompts: torch.Tensor) -> "Rollout":
        """Some of the prompts, by mask or index."""
        parts = (part[prompts] for part in (self.prompts, self.responses, self.log_probs, self.rewards))
        return Rollout(*parts, self.num_generated)

    def successes(self) -> torch.Tensor:
        """[n] int64, ``k``: right responses of each prompt."""
        return self.rewards.sum(dim=1).long()

    def informative(self) -> torch.Tensor:
        """[n] bool: the pass rate is neither 0 nor 1."""
        return (self.rewards.mean(dim=1) > 0) & (self.rewards.mean(dim=1) < 1)


def generate(model: Decoder, regime: Regime, seed: int, step: int, generation: int = 0) -> Rollout:
    """One batch of the seed's stream of prompts, with ``G`` responses to each."""
    problems = training_problems(seed, step, generation, regime.num_prompts)
    prompts, noise = problems.prompts(), torch_stream(seed, SAMPLING, step, generation)
    responses, log_probs = sample(model, problems, regime.group_size, noise)
    rewards = is_right(responses, problems.results().repeat_interleave(regime.group_size, 0)).float()
    shape = (regime.num_prompts, regime.group_size)
    return Rollout(
        prompts, responses.view(*shape, -1), log_probs.view(*shape, -1), rewards.view(shape), rewards.numel()
    )


def roll_out(model: Decoder, regime: Regime, seed: int, step: int, dynamic_sampling: bool) -> Rollout:
    """The responses to train on.

    With dynamic sampling (DAPO) prompts whose pass rate is 0 or 1 are thrown away and further batches are generated,
    at most three in all, until ``num_prompts`` are left; what is beyond is thrown away too. The first batch has the
    prompts that every other method sees.
    """
    batches = [generate(model, regime, seed, step)]
    if not dynamic_sampling:
        return batches[0]
    while _num_informative(batches) < regime.num_prompts and len(batches) < MAX_GENERATIONS:
        batches.append(generate(model, regime, seed, step, generation=len(batches)))
    return _join([batch.pick(batch.informative()) for batch in batches], regime.num_prompts)


def _num_informative(batches: list[Rollout]) -> int:
    return sum(int(batch.informative().sum()) for batch in batches)


def _join(batches: list[Rollout], num_prompts: int) -> Rollout:
    parts = zip(*((batch.prompts, batch.responses, batch.log_probs, batch.rewards) for batch in batches), strict=True)
    joined = (torch.cat(part)[:num_prompts] for part in parts)
    return Rollout(*joined, sum(batch.num_generated for batch in batches))
