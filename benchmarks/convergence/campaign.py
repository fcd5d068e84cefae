"""All runs of some studies on a pool of processes. Finished runs are kept, and an interrupted campaign goes on."""

import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.convergence import warm_start
from benchmarks.convergence.model import Decoder
from benchmarks.convergence.records import save
from benchmarks.convergence.runs import Run
from benchmarks.convergence.toy import Toy
from benchmarks.convergence.training import Training
from benchmarks.convergence.update import check_options

RUNS = "runs"
Stage = tuple[str, Callable[[Run], None], Sequence[Run]]  # name, work, what to do it on


def make_warm_start(run: Run, folder: Path) -> None:
    """The model that ``run`` starts from, unless it is there already."""
    path = run.warm_start_file(folder)
    if path.exists():
        return
    model = warm_start.train(run.regime.writing, run.seed, run.schedule.warm_start_steps)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    torch.save(model.state_dict(), partial)
    partial.rename(path)


def execute(run: Run, folder: Path, commit: str = "unknown") -> None:
    """Train and keep the result, with the commit that it is of."""
    begin, processor_begin = time.monotonic(), time.process_time()
    model = Decoder()
    model.load_state_dict(torch.load(run.warm_start_file(folder)))
    record = Training(Toy(model, run), run).finish()
    seconds = {
        "seconds": time.monotonic() - begin,
        "processor_seconds": time.process_time() - processor_begin,  # one thread: its seconds on an idle core
    }
    about = {"settings": run.settings(), **seconds, "commit": commit}
    save(run.file(folder), record.arrays(), about)


def campaign(runs: Sequence[Run], folder: Path, num_processes: int, console: Console) -> None:
    """Train every run that has no result yet: first the warm starts that are missing, then the runs.

    Raises:
        DaroConfigError: the package does not know an option of a method; nothing has been run then.
    """
    for run in runs:
        check_options(run.method.options)
    for leftover in folder.glob("*/*.partial"):
        leftover.unlink()
    missing = [run for run in runs if not run.file(folder).exists()]
    starts = {path: run for run in missing if not (path := run.warm_start_file(folder)).exists()}
    console.print(f"{len(runs)} runs, {len(runs) - len(missing)} of them finished; {len(starts)} warm starts to make.")
    stages: list[Stage] = [
        ("warm starts", partial(make_warm_start, folder=folder), list(starts.values())),
        (RUNS, partial(execute, folder=folder, commit=commit()), missing),
    ]
    work_off(stages, num_processes, console)


def work_off(stages: list[Stage], num_processes: int, console: Console) -> None:
    """All runs of the stages, one stage after another, on a pool of processes; with 0 processes, in this one."""
    if num_processes == 0:
        for _, work, jobs in stages:
            for run in jobs:
                work(run)
    else:
        _in_pool(stages, num_processes, console)


def _in_pool(stages: list[Stage], num_processes: int, console: Console) -> None:
    """Work off the stages one after another; at an error or Ctrl-C the processes are ended at once."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_processes, context, initializer=_begin_worker) as pool, _progress(console) as progress:
        try:
            for name, work, runs in stages:
                _one_stage(pool, progress, name, work, runs)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _one_stage(
    pool: ProcessPoolExecutor, progress: Progress, name: str, work: Callable[[Run], None], runs: Sequence[Run]
) -> None:
    futures: dict[Future, Run] = {pool.submit(work, run): run for run in runs}
    task = progress.add_task(name, total=len(futures), last="")
    for future in as_completed(futures):
        try:
            future.result()
        except Exception as error:
            error.add_note(f"in the run: {futures[future].label}")
            raise
        progress.update(task, advance=1, last=futures[future].label if name == RUNS else "")


def commit() -> str:
    """The commit that runs, with ``-dirty`` where the package or this benchmark differ from it; else ``unknown``."""

    def git(*command: str) -> str:
        full = ["git", "--no-optional-locks", *command]
        return subprocess.run(full, cwd=Path(__file__).parent, capture_output=True, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--", ".", ":/daro_verl", ":(exclude)results")
    return (git("rev-parse", "--short=12", "HEAD") or "unknown") + ("-dirty" if changed else "")


def _begin_worker() -> None:
    """One thread each, which is fastest for so small a model; Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


def _progress(console: Console) -> Progress:
    columns = (BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(TextColumn("{task.description}"), *columns, TextColumn("{task.fields[last]}"), console=console)
