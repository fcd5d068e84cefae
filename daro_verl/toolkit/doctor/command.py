"""The command. It runs all checks at once, prints a line for each, and sets the exit code."""

import os
import time
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from daro_verl.toolkit.doctor.engines import engine_lines, gpu_package_lines
from daro_verl.toolkit.doctor.lines import Line, Status
from daro_verl.toolkit.doctor.loading import Probe, plugin_line, ray_lines
from daro_verl.toolkit.doctor.machine import device_line, disk_line, open_files_line, shared_memory_line
from daro_verl.toolkit.doctor.versions import version_lines

_STYLES = {Status.OK: "green", Status.NOTE: "yellow", Status.PROBLEM: "bold red"}


def doctor(no_ray: Annotated[bool, typer.Option("--no-ray", help="Do not check Ray workers.")] = False) -> None:
    """Check whether a DARO job can run here: versions, plugin, Ray workers, engines, devices, disk, shared memory.

    Every line is OK, a note, or a problem with its fix. The exit code is 0 if there are no problems, else 1. The Ray
    workers are those of the cluster in RAY_ADDRESS. If it is not set, the command starts Ray here for a moment.

    Example: VERL_PLATFORM=cpu daro doctor
    """
    start, console = time.monotonic(), Console(highlight=False)
    with Console(stderr=True).status("Checking versions, engines and Ray workers, in half a minute at most"):
        lines = _ask_everything(no_ray)
    _print(console, lines)
    problems = sum(line.status is Status.PROBLEM for line in lines)
    found = {0: "No problem", 1: "1 problem"}.get(problems, f"{problems} problems")
    console.print(f"{found} found in {time.monotonic() - start:.0f} s.")
    raise typer.Exit(1 if problems else 0)


def _ask_everything(no_ray: bool) -> list[Line]:
    here = Probe("verl")
    workers = None if no_ray else Probe("ray")
    own = here.answer()
    cpu_platform = os.environ.get("VERL_PLATFORM", "").strip().lower() == "cpu"
    gpus: list[tuple[str, int]] = own.get("gpus", [])
    on_cpu = cpu_platform or not gpus
    lines = [*version_lines(on_cpu), plugin_line("plugin in this environment", own)]
    if workers:
        lines += ray_lines(workers.answer(), own, os.environ.get("RAY_ADDRESS"))
    if "engines" in own:
        lines += engine_lines(own["engines"], on_cpu) + gpu_package_lines(not on_cpu, own.get("kernels", {}))
        lines.append(device_line(gpus, cpu_platform))
    return [*lines, disk_line(), shared_memory_line(), open_files_line()]


def _print(console: Console, lines: Sequence[Line]) -> None:
    width = max(len(status.value) for status in Status)
    for line in lines:
        text = Text.assemble((line.status.value.ljust(width), _STYLES[line.status]), f"  {line.subject}: {line.found}")
        console.print(text, soft_wrap=True)
        if line.fix:
            console.print(Text(f"{'':{width}}  Fix: {line.fix}"), soft_wrap=True)
