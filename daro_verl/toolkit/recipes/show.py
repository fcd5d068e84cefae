"""What a dry run prints: the configuration on standard output, everything else on standard error."""

import shlex
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from daro_verl.toolkit.recipes.job import Job
from daro_verl.toolkit.recipes.knobs import KNOBS, Values
from daro_verl.toolkit.recipes.memory import GB, Estimate


def knob_table(values: Values) -> Table:
    """Every knob with its value and the keys of verl that it sets."""
    table = Table("knob", "value", "sets in verl", title="Knobs")
    for name, knob in KNOBS.items():
        value = "by METHOD" if values[name] is None and knob.keys else str(values[name])
        table.add_row(name, value, "\n".join(knob.keys))
    return table


def memory_table(found: Estimate, gpu: float) -> Table:
    """The estimate by part, in GB."""
    table = Table("part", "training", "generation", title="GB per GPU (an estimate)")
    for part in dict.fromkeys([*found.training, *found.generation]):
        table.add_row(part, *(_gb(phase.get(part)) for phase in (found.training, found.generation)))
    table.add_section()
    table.add_row("sum", *(_gb(sum(phase.values())) for phase in (found.training, found.generation)))
    table.add_row("GPU_MEMORY_GB", _gb(gpu), _gb(gpu))
    return table


def _gb(size: float | None) -> str:
    return "" if size is None else f"{size / GB:.1f}"


def print_all(values: Values, job: Job, found: Estimate, notes: Sequence[str], command: Sequence[str]) -> None:
    """Tables, notes and the command, on standard error."""
    console = Console(stderr=True, width=160)
    console.print(knob_table(values))
    console.print(memory_table(found, values["GPU_MEMORY_GB"] * GB))
    sample = job.prompt + job.response
    console.print(f"A server's KV cache: about {found.kv_tokens} tokens, {found.kv_tokens // sample} longest samples.")
    updates, ranks = job.batch // job.mini_batch, f"TP {job.tp} x PP {job.pp} x CP {job.cp} x DP {job.dp}"
    servers = job.world // job.rollout_tp
    console.print(
        f"A step: {job.batch} prompts x {job.rollouts} responses, {updates} updates, on {job.world} GPUs ({ranks}), "
        f"{servers} servers."
    )
    for note in notes:
        console.print(f"note: {note}", markup=False)
    console.print(shlex.join(command), soft_wrap=True, markup=False, highlight=False)
