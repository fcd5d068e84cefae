"""The language model as a policy of the comparison: its prompts, its sampling and its evaluation."""

import torch

from benchmarks.convergence.evaluation import Sampled
from benchmarks.convergence.rollout import Rollout, graded
from benchmarks.convergence.streams import EVALUATION, SAMPLING, torch_stream
from benchmarks.real_model import task
from benchmarks.real_model.language_model import PAD, LanguageModel
from benchmarks.real_model.runs import LanguageRun


class LanguagePolicy:
    """See :class:`~benchmarks.convergence.training.Policy`."""

    def __init__(self, model: LanguageModel, run: LanguageRun) -> None:
        self.model, self.module, self.run = model, model.module, run
        self.max_response_length, self.micro_batch = run.regime.max_response_length, run.regime.micro_batch
        self._held_out = task.held_out(run.regime.num_held_out)
        self._held_out_questions = frozenset(problem.question for problem in self._held_out)

    def generate(self, step: int, generation: int) -> Rollout:
        regime, seed = self.run.regime, self.run.seed
        problems = task.training(seed, step, generation, regime.num_prompts, self._held_out_questions)
        noise = torch_stream(seed, SAMPLING, step, generation)
        return self._answer(problems, regime.group_size, noise)

    def log_probs(self, part: Rollout) -> torch.Tensor:
        return self.model.log_probs(part.prompts, part.responses).flatten(0, 1)

    def evaluate(self, step: int) -> Sampled:
        noise = torch_stream(self.run.seed, EVALUATION, step)
        answers = self._answer(self._held_out, self.run.regime.num_samples, noise)
        cut_off = ~(answers.responses == self.model.end).any(dim=-1)
        level = [task.LEVELS.index(problem.level) for problem in self._held_out]
        length = answers.mask.sum(dim=-1).float()
        drawn = (answers.responses, answers.log_probs)
        return Sampled(answers.rewards.bool(), cut_off, length, torch.tensor(level).numpy(), *drawn)

    def _answer(self, problems: list[task.Problem], group: int, noise: torch.Generator) -> Rollout:
        """``group`` responses to each problem, graded; at most ``generation_batch`` of them at once."""
        prompts = self.model.encode([problem.question for problem in problems])
        uniform = torch.rand(len(problems), group, self.max_response_length, generator=noise)
        size = max(1, self.run.regime.generation_batch // group)
        drawn = [self.model.sample(*pair) for pair in zip(prompts.split(size), uniform.split(size), strict=True)]
        responses, log_probs = (torch.cat(part) for part in zip(*drawn, strict=True))
        pairs = zip(responses, problems, strict=True)
        right = torch.tensor([[self._is_right(row, problem.answer) for row in rows] for rows, problem in pairs])
        return graded(prompts, responses, responses != PAD, log_probs, right.float())

    def _is_right(self, response: torch.Tensor, answer: str) -> bool:
        return task.is_right(self.model.decode(response), answer, self.model.end in response.tolist())
