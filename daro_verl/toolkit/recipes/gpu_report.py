"""The result of ``GPU_SMOKE=1``: one line, and a file that you can attach to a report of a problem."""

import platform
import shlex
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from daro_verl.toolkit.recipes.sizes import Sizes

PACKAGES = ("daro-verl", "verl", "torch", "transformers", "megatron-core", "megatron-bridge", "mbridge",
            "transformer-engine", "flash-attn", "vllm", "sglang", "ray", "tensordict", "TransferQueue")  # fmt: skip
TAIL = 80  # lines of the log that the report shows if a part failed


@dataclass(frozen=True)
class Part:
    """One command. ``wrong``: the signs that it failed; empty if it passed."""

    name: str
    command: Sequence[str]
    seconds: float
    wrong: Sequence[str]


@dataclass(frozen=True)
class Point:
    """A feature that needs a GPU: the part that runs it, and whether a job has it."""

    what: str
    part: str
    has: Callable[[Any, Sizes], bool]


def _always(actor_rollout: Any, sizes: Sizes) -> bool:
    return True


POINTS = (
    Point("training in bfloat16 with Transformer Engine", "train", _always),
    Point("sequence packing", "train", lambda job, _: job.actor.megatron.use_remove_padding),
    Point("Megatron-Bridge", "train", lambda job, _: not job.actor.megatron.vanilla_mbridge),
    Point("mbridge", "train", lambda job, _: job.actor.megatron.vanilla_mbridge),
    Point("weight sync to vLLM", "train", lambda job, _: job.rollout.name == "vllm"),
    Point("weight sync to SGLang", "train", lambda job, _: job.rollout.name == "sglang"),
    Point("sleep mode", "train", lambda job, _: job.rollout.free_cache_engine),
    Point("offload", "train", lambda job, _: job.actor.megatron.param_offload),
    Point("recomputation", "train", lambda _, sizes: sizes.recompute == "full"),
    Point("tensor parallelism", "train", lambda _, sizes: sizes.tp > 1),
    Point("pipeline parallelism", "train", lambda _, sizes: sizes.pp > 1),
    Point("context parallelism", "train", lambda _, sizes: sizes.cp > 1),
    Point("data parallelism", "train", lambda _, sizes: sizes.dp > 1),
    Point("a server on several GPUs", "train", lambda _, sizes: sizes.rollout_tp > 1),
    Point("resume", "resume", _always),
    Point("evaluation", "evaluate", _always),
    Point("evaluation with several engines", "evaluate", lambda _, sizes: sizes.gpus > 1),
)


def covered(config: DictConfig, sizes: Sizes, parts: Sequence[Part]) -> tuple[list[str], list[str]]:
    """The points that this run covered, and the others."""
    passed = {part.name for part in parts if not part.wrong}
    shown = [point for point in POINTS if point.part in passed and point.has(config.actor_rollout_ref, sizes)]
    return [point.what for point in shown], [point.what for point in POINTS if point not in shown]


def last_line(config: DictConfig, sizes: Sizes, parts: Sequence[Part], file: Path) -> str:
    """The last line of the output: the result in words."""
    run, not_run = covered(config, sizes, parts)
    failed = [f"{part.name} ({'; '.join(part.wrong)})" for part in parts if part.wrong]
    state = f"FAILED in {', '.join(failed)}" if failed else f"passed on {sizes.gpus} GPU(s)"
    return f"GPU_SMOKE {state}. Run: {', '.join(run) or 'none'}. Not run: {', '.join(not_run)}. Report: {file}"


def report(config: DictConfig, sizes: Sizes, parts: Sequence[Part], log: Path) -> str:
    """The report in Markdown."""
    run, not_run = covered(config, sizes, parts)
    seconds = sum(part.seconds for part in parts)
    job = (
        f"{config.recipe.model}, {config.recipe.method}: TP {sizes.tp} x PP {sizes.pp} x CP {sizes.cp} x DP {sizes.dp}"
    )
    lines = ["# GPU_SMOKE", "", f"{job}, {seconds:.0f} s.", "", "| part | seconds | result |", "|---|---|---|"]
    lines += [f"| {part.name} | {part.seconds:.0f} | {'; '.join(part.wrong) or 'passed'} |" for part in parts]
    lines += ["", "| point | |", "|---|---|", *(f"| {what} | run |" for what in run)]
    lines += [f"| {what} | not run |" for what in not_run]
    lines += ["", "| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in machine().items())]
    lines += ["", "```bash", *(shlex.join(part.command) for part in parts), "```"]
    if any(part.wrong for part in parts) and log.exists():
        lines += ["", "```text", *log.read_text(errors="replace").splitlines()[-TAIL:], "```"]
    return "\n".join(lines) + "\n"


def machine() -> dict[str, str]:
    """GPUs, Python and the versions of a job's packages."""
    found = {"GPUs": _gpus(), "Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _gpus() -> str:
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return "no nvidia-smi"
    return "; ".join(done.stdout.split("\n")).strip("; ") or "none"
