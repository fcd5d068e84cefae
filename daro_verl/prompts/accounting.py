"""What the rollout costs and what it is worth, per training step and since the job started or resumed."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

KINDS = ("generated", "trained", "discarded", "not_generated")


class Accounting:
    """Counts responses and tokens, and compares what was predicted of the prompts with what came.

    :meth:`take` returns these metrics:

    - ``daro/responses/generated``: responses of all prompts that ended;
    - ``daro/responses/trained``: responses that are trained on;
    - ``daro/responses/discarded``: responses that never are (filtered, surplus, stale or failed);
    - ``daro/responses/not_generated``: responses of prompts that the option ``prompts`` left out;
    - ``daro/tokens/``: the same four in tokens. A response that was not generated counts as the mean one so far;
    - all of these with ``_so_far``: the total since the job started or resumed;
    - ``daro/prompts/informative``: share of the scored groups with both right and wrong responses;
    - ``daro/prompts/informative_predicted``: the same share as predicted before (mean of ``1 - P(0) - P(G)``);
    - ``daro/prompts/brier``: the mean square of the difference between prediction and outcome, group by group.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[int, int]] = {}
        """The responses and the tokens of each prompt that has ended and is neither trained on nor discarded yet."""
        self._in_step: Counter[str] = Counter()
        self._so_far: Counter[str] = Counter()
        self._groups = np.zeros(4)  # groups, informative ones, sum of predictions, of squared differences

    @property
    def waiting(self) -> set[str]:
        """The prompts that have ended and are neither trained on nor discarded yet."""
        return set(self._waiting)

    def generated(self, prompt: str, num_responses: int, num_tokens: int) -> None:
        """Count the responses and tokens of a prompt that has ended."""
        self._waiting[prompt] = num_responses, num_tokens
        self._count("generated", num_responses, num_tokens)

    def gone(self, prompts: Iterable[str], kind: str) -> None:
        """Count prompts that are now ``trained`` or ``discarded``. Prompts that never ended count nothing."""
        for prompt in prompts:
            self._count(kind, *self._waiting.pop(prompt, (0, 0)))

    def left_out(self, num_responses: int) -> None:
        """Count responses that were not generated."""
        mean = self._so_far["tokens/generated"] / max(self._so_far["responses/generated"], 1)
        self._count("not_generated", num_responses, round(num_responses * mean))

    def compare(self, predicted: np.ndarray, informative: np.ndarray) -> None:
        """Add groups [N]: the predicted probability of both right and wrong responses, and whether there were both."""
        squares = (predicted - informative) ** 2
        self._groups += len(predicted), informative.sum(), predicted.sum(), squares.sum()

    def take(self) -> dict[str, float]:
        """Return the metrics of the step that ends, and start counting anew."""
        metrics = {}
        for unit in ("responses", "tokens"):
            for kind in KINDS:
                name = f"{unit}/{kind}"
                metrics[f"daro/{name}"] = float(self._in_step[name])
                metrics[f"daro/{name}_so_far"] = float(self._so_far[name])
        if self._groups[0]:
            shares = self._groups[1:] / self._groups[0]
            names = ("informative", "informative_predicted", "brier")
            metrics |= {f"daro/prompts/{name}": float(share) for name, share in zip(names, shares, strict=True)}
        self._in_step.clear()
        self._groups[:] = 0
        return metrics

    def _count(self, kind: str, num_responses: int, num_tokens: int) -> None:
        for counter in (self._in_step, self._so_far):
            counter[f"responses/{kind}"] += num_responses
            counter[f"tokens/{kind}"] += num_tokens
