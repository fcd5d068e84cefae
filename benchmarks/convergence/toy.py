"""The toy as a policy: the small transformer on chains of arithmetic."""

import numpy as np
import torch

from benchmarks.convergence.evaluation import Sampled, evaluate
from benchmarks.convergence.model import Decoder, response_log_probs
from benchmarks.convergence.rollout import Rollout, generate
from benchmarks.convergence.runs import Run
from benchmarks.convergence.streams import training_problems, training_set
from benchmarks.convergence.task import MAX_RESPONSE_LENGTH, Problems


class Toy:
    """See :class:`~benchmarks.convergence.training.Policy`."""

    max_response_length = MAX_RESPONSE_LENGTH

    def __init__(self, module: Decoder, run: Run) -> None:
        self.module, self._run, self.micro_batch = module, run, run.regime.num_prompts
        size = run.regime.num_problems
        self._training_set = None if size is None else training_set(run.seed, size)

    def generate(self, step: int, generation: int) -> Rollout:
        problems = training_problems(self._run.seed, step, generation, self._run.regime.num_prompts)
        return self._answer(problems, step, generation)

    def generate_for(self, places: np.ndarray, step: int, generation: int) -> Rollout:
        return self._answer(self._training_set.pick(places), step, generation)

    def log_probs(self, part: Rollout) -> torch.Tensor:
        return response_log_probs(self.module, part.prompts, part.responses.flatten(0, 1))

    def evaluate(self, step: int) -> Sampled:
        return evaluate(self.module, self._run.seed, step)

    def _answer(self, problems: Problems, step: int, generation: int) -> Rollout:
        return generate(self.module, problems, self._run.regime.group_size, self._run.seed, step, generation)
