"""The arguments of an evaluation, within their bounds."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from daro_verl.errors import DaroConfigError, problem
from daro_verl.toolkit.evaluation.inference import Resources

# Lowest and highest value of an option.
BOUNDS = {
    "temperature": (0, 2),
    "top_p": (1e-6, 1),
    "response_tokens": (1, 10**7),
    "max_model_tokens": (0, 10**7),
    "limit": (0, 10**9),
    "tp": (1, 64),
    "dp": (0, 64),
    "memory": (0.05, 1),
    "in_flight": (0, 10**6),
}


@dataclass(frozen=True)
class EvaluationSpec:
    """The arguments of the command line. The fields of :class:`Settings` mean the same here.

    ``in_flight``: most responses at once.
    """

    checkpoint: str
    data: Path
    out: Path
    resources: Resources
    backend: str = "vllm"
    dtype: str = "bfloat16"
    temperature: float = 0.6
    top_p: float = 1.0
    top_k: int = -1
    response_tokens: int = 8192
    max_model_tokens: int = 0
    seed: int = 0
    limit: int = 0
    in_flight: int = 512

    def resolved(self) -> "EvaluationSpec":
        """The same arguments, checked. A ``dp`` or ``in_flight`` of 0 becomes what fits the node's GPUs.

        Raises:
            DaroConfigError: arguments are out of their bounds. The message lists all of them.
        """
        values = {**vars(self), **self.resources._asdict()}
        problems = [
            problem(f"--{name.replace('_', '-')}", values[name], f"a number in [{low:g}, {high:g}]", "correct it")
            for name, (low, high) in BOUNDS.items()
            if not (math.isfinite(values[name]) and low <= values[name] <= high)
        ]
        if self.top_k != -1 and self.top_k < 1:
            problems.append(problem("--top-k", self.top_k, "-1, or a positive number", "pass -1 to take all tokens"))
        if problems:
            raise DaroConfigError.of(problems)
        dp = self.resources.dp or _copies(self.resources.tp)
        in_flight = self.in_flight or EvaluationSpec.in_flight * dp
        return replace(self, in_flight=in_flight, resources=self.resources._replace(dp=dp))


def _copies(tp: int) -> int:
    """As many copies of the model as the node's GPUs can hold; one if there is no GPU."""
    import torch

    return max(1, torch.cuda.device_count() // tp)


def engine_arguments(text: str) -> dict[str, Any]:
    """The value of ``--engine-args``.

    Raises:
        DaroConfigError: the text is not a JSON mapping.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        fix = """write it as '{"max_num_seqs": 512}', in single quotes"""
        raise DaroConfigError("--engine-args", got=text, expected="a JSON mapping", fix=fix)
    return value
