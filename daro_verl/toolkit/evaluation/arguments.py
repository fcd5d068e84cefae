"""The command line of ``python -m daro_verl.toolkit.evaluation``."""

import argparse
import json
import math
from pathlib import Path
from typing import Any

from daro_verl.errors import got_expected_fix
from daro_verl.toolkit.evaluation.engines import BACKENDS, Resources
from daro_verl.toolkit.evaluation.errors import DaroEvaluationError
from daro_verl.toolkit.evaluation.run import Job


def parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(
        prog="python -m daro_verl.toolkit.evaluation", description="Evaluation. docs/evaluation.md"
    )
    commands = main.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="answer a test file with a checkpoint, and write the figures")
    run.add_argument("checkpoint", help="what verl saves, a Hugging Face model directory or a hub id")
    run.add_argument("--data", type=Path, required=True, help="parquet file of `python -m daro_verl.toolkit.data test`")
    run.add_argument("--out", type=Path, required=True, help="folder of the run; the same one goes on")
    run.add_argument("--backend", choices=BACKENDS, default=Job.backend, help="(%(default)s)")
    run.add_argument("--temperature", type=float, default=Job.temperature, help="0: greedy (%(default)s)")
    run.add_argument("--top-p", type=float, default=Job.top_p, help="(%(default)s)")
    run.add_argument("--top-k", type=int, default=Job.top_k, help="-1: all tokens (%(default)s)")
    run.add_argument("--response-tokens", type=int, default=Job.response_tokens, help="at most (%(default)s)")
    run.add_argument("--max-model-tokens", type=int, default=Job.max_model_tokens, help="prompt and response; 0: what "
                     "the model allows (%(default)s)")  # fmt: skip
    run.add_argument("--dtype", default=Job.dtype, help="of the weights in the engine (%(default)s)")
    run.add_argument("--seed", type=int, default=Job.seed, help="of the engine (%(default)s)")
    run.add_argument("--limit", type=int, default=Job.limit, help="problems of each benchmark; 0: all (%(default)s)")
    run.add_argument("--tp", type=int, default=1, help="GPUs that share one copy of the weights (%(default)s)")
    run.add_argument("--dp", type=int, default=0, help="copies; 0: the node's GPUs divided by --tp (%(default)s)")
    run.add_argument("--memory", type=float, default=0.9, help="share of a GPU for the engine (%(default)s)")
    run.add_argument("--in-flight", type=int, default=0, help="responses at once; 0: 512 per copy (%(default)s)")
    run.add_argument("--engine-args", default="{}", metavar="JSON", help="arguments of the engine's own, which win")
    compare = commands.add_parser("compare", help="finished runs side by side, each against the first")
    compare.add_argument("run", nargs="+", metavar="[NAME=]FOLDER")
    compare.add_argument("--out", type=Path, help="a Markdown file to write too")
    return main


def job(options: argparse.Namespace) -> Job:
    """The job that the arguments of ``run`` ask for.

    Raises:
        DaroEvaluationError: one of them is out of its bounds.
    """
    bounds = [
        ("--temperature", options.temperature, 0, 2),
        ("--top-p", options.top_p, 1e-6, 1),
        ("--response-tokens", options.response_tokens, 1, 10**7),
        ("--max-model-tokens", options.max_model_tokens, 0, 10**7),
        ("--limit", options.limit, 0, 10**9),
        ("--tp", options.tp, 1, 64),
        ("--dp", options.dp, 0, 64),
        ("--memory", options.memory, 0.05, 1),
        ("--in-flight", options.in_flight, 0, 10**6),
    ]
    problems = [
        got_expected_fix(name, value, f"a number in [{low:g}, {high:g}]", "correct it")
        for name, value, low, high in bounds
        if not (math.isfinite(value) and low <= value <= high)
    ]
    if options.top_k != -1 and options.top_k < 1:
        problems.append(got_expected_fix("--top-k", options.top_k, "-1, or a positive number", "-1 takes all tokens"))
    if problems:
        raise DaroEvaluationError("\n".join(problems))
    dp = options.dp or _copies(options.tp)
    same = ("checkpoint", "data", "out", "backend", "dtype", "temperature", "top_p", "top_k", "response_tokens",
            "max_model_tokens", "seed", "limit")  # fmt: skip
    return Job(
        **{name: getattr(options, name) for name in same},
        in_flight=options.in_flight or Job.in_flight * dp,
        resources=Resources(options.tp, dp, options.memory, _engine_args(options.engine_args)),
    )


def _copies(tp: int) -> int:
    """As many as the node's GPUs hold; one where there is no GPU."""
    import torch

    return max(1, torch.cuda.device_count() // tp)


def _engine_args(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        fix = """write it as '{"max_num_seqs": 512}', in single quotes"""
        raise DaroEvaluationError(got_expected_fix("--engine-args", text, "a JSON mapping", fix))
    return value
