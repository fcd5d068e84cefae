"""The toy as a policy: the small transformer on chains of arithmetic."""

import torch

from benchmarks.convergence.evaluation import Sampled, evaluate
from benchmarks.convergence.model import Decoder, response_log_probs
from benchmarks.convergence.rollout import Rollout, generate
from benchmarks.convergence.runs import Run
from benchmarks.convergence.task import MAX_RESPONSE_LENGTH


class Toy:
    """See :class:`~benchmarks.convergence.training.Policy`."""

    max_response_length = MAX_RESPONSE_LENGTH

    def __init__(self, module: Decoder, run: Run) -> None:
        self.module, self._run, self.micro_batch = module, run, run.regime.num_prompts

    def generate(self, step: int, generation: int) -> Rollout:
        return generate(self.module, self._run.regime, self._run.seed, step, generation)

    def log_probs(self, part: Rollout) -> torch.Tensor:
        return response_log_probs(self.module, part.prompts, part.responses.flatten(0, 1))

    def evaluate(self, step: int) -> Sampled:
        return evaluate(self.module, self._run.seed, step)
