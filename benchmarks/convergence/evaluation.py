"""Pass rates and lengths of a model's responses: on the held-out problems, and per difficulty bin."""

from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.convergence.model import Decoder
from benchmarks.convergence.sampling import sample
from benchmarks.convergence.streams import EVALUATION, held_out_problems, torch_stream
from benchmarks.convergence.task import is_cut_off, is_right, lengths

NUM_PROBLEMS, NUM_SAMPLES = 200, 8  # held-out problems, and responses to each


@dataclass(frozen=True)
class Sampled:
    """What was sampled on problems of known level.

    Attributes:
        right: [n, G] bool.
        cut_off: [n, G] bool.
        length: [n, G] tokens, the end included.
        level: [n] integers; every level has problems.
        responses: [n, G, R] tokens, filled up after the end with one that is never drawn.
        log_probs: [n, G, R] of the model that sampled; 0 after the end.
    """

    right: torch.Tensor
    cut_off: torch.Tensor
    length: torch.Tensor
    level: np.ndarray
    responses: torch.Tensor
    log_probs: torch.Tensor

    def figures(self) -> dict[str, float | list[float]]:
        """Means over responses; lengths in tokens, NaN where there is no such response.

        ``gap_in_level`` is the mean over levels of (mean length of wrong / mean length of right responses): it leaves
        out that harder levels have longer responses and more wrong ones. ``solved_once`` is the share of problems with
        a right response among the ``G`` (pass@G), ``entropy`` in nats per token, ``distinct`` the share of a problem's
        responses that differ from all before them.
        """
        by_level = [torch.from_numpy(self.level == level) for level in np.unique(self.level)]
        gaps = [self.length[at][~self.right[at]].mean() / self.length[at][self.right[at]].mean() for at in by_level]
        return {
            "pass_rate": self.right.double().mean().item(),
            "solved_once": self.right.any(dim=1).double().mean().item(),
            "entropy": -(self.log_probs.double().sum() / self.length.sum()).item(),
            "distinct": float(np.mean([len(of.unique(dim=0)) / len(of) for of in self.responses])),
            "pass_rate_of_level": [self.right[at].double().mean().item() for at in by_level],
            "length": self.length.mean().item(),
            "length_right": self.length[self.right].mean().item(),
            "length_wrong": self.length[~self.right].mean().item(),
            "gap_in_level": torch.stack(gaps).nanmean().item(),
            "cut_off": self.cut_off.double().mean().item(),
            "cut_off_of_wrong": self.cut_off[~self.right].double().mean().item(),
        }

    def prompts_in_bin(self) -> list[int]:
        """[G + 1] problems with ``k`` right responses."""
        return torch.bincount(self.right.sum(dim=1), minlength=self.right.shape[1] + 1).tolist()


def evaluate(model: Decoder, seed: int, step: int) -> Sampled:
    """Responses to the held-out problems; the same noise for every method at the same seed and step."""
    problems = held_out_problems(NUM_PROBLEMS)
    responses, log_probs = sample(model, problems, NUM_SAMPLES, torch_stream(seed, EVALUATION, step))
    right = is_right(responses, problems.results().repeat_interleave(NUM_SAMPLES, 0))
    shape = (NUM_PROBLEMS, NUM_SAMPLES)
    length = lengths(responses).float()
    parts = (part.view(shape) for part in (right, is_cut_off(responses), length))
    drawn = (part.view(*shape, -1) for part in (responses, log_probs))
    return Sampled(*parts, problems.level, *drawn)
