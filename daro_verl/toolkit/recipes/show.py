"""The output of a dry run on standard error, beside the configuration."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from daro_verl.toolkit.recipes.disk import free, in_words
from daro_verl.toolkit.recipes.memory import GB, Estimate
from daro_verl.toolkit.recipes.plan import Plan


def memory_table(found: Estimate, gpu: float) -> Table:
    """The estimate by part, in GB."""
    table = Table("part", "training", "generation", title="GB per GPU (an estimate)")
    for part in dict.fromkeys([*found.training, *found.generation]):
        table.add_row(part, *(_gb(phase.get(part)) for phase in (found.training, found.generation)))
    table.add_section()
    table.add_row("sum", *(_gb(sum(phase.values())) for phase in (found.training, found.generation)))
    table.add_row("recipe.gpu_memory_gb", _gb(gpu), _gb(gpu))
    return table


def _gb(size: float | None) -> str:
    return "" if size is None else f"{size / GB:.1f}"


def print_plan(plan: Plan, command: Sequence[str]) -> None:
    """Print tables, notes and the command."""
    console, job = Console(stderr=True, width=160), plan.sizes
    console.print(memory_table(plan.memory, plan.config.recipe.gpu_memory_gb * GB))
    samples = plan.memory.kv_tokens // (job.max_prompt + job.max_response)
    console.print(f"A server's KV cache: about {plan.memory.kv_tokens} tokens, {samples} longest samples.")
    ranks = f"TP {job.tp} x PP {job.pp} x CP {job.cp} x DP {job.dp}"
    console.print(
        f"A step: {job.batch} prompts x {job.rollouts} responses, {job.batch // job.mini_batch} updates, on "
        f"{job.world} GPUs ({ranks}), {job.world // job.rollout_tp} servers."
    )
    here = free(Path(plan.config.trainer.default_local_dir)) / GB
    console.print(f"Disk: {in_words(plan.checkpoints)} (an estimate); {here:.0f} GB are free there.")
    for note in plan.notes:
        console.print(f"note: {note}", markup=False)
    console.print(shlex.join(command), soft_wrap=True, markup=False, highlight=False)
