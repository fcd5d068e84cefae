"""One run, from its last finished round to its result."""

import os
import time
from pathlib import Path

import torch

from benchmarks.convergence.records import save
from benchmarks.convergence.training import Training
from benchmarks.real_model.language_model import LanguageModel
from benchmarks.real_model.policy import LanguagePolicy
from benchmarks.real_model.runs import LanguageRun


def execute(run: LanguageRun, folder: Path, commit: str, threads: int, save_every: int) -> None:
    """Train and keep the result, with the commit that it is of. The state is kept every ``save_every`` rounds."""
    torch.set_num_threads(threads)
    model = LanguageModel(run.regime.model, run.regime.device, run.regime.dtype)
    training, unfinished = Training(LanguagePolicy(model, run), run), run.unfinished_file(folder)
    if unfinished.exists():
        training.load_state_dict(torch.load(unfinished, weights_only=False, map_location=run.regime.device))
    begin = time.monotonic()

    def after_round(training: Training) -> None:
        if training.number % save_every == 0 and training.number <= run.schedule.num_rounds:
            _keep(training.state_dict(), unfinished)
        print(f"{run.label}: {_progress(training)}, {time.monotonic() - begin:.0f} s", flush=True)

    record = training.finish(after_round)
    parts, on_gpu = training.processor_seconds, run.regime.device != "cpu"
    about = {
        "settings": run.settings(),
        "seconds": time.monotonic() - begin,  # since the last interruption
        "processor_seconds": None if on_gpu else sum(parts.values()),
        "processor_seconds_of_part": parts,
        "commit": commit,
    }
    save(run.file(folder), record.arrays(), about)
    unfinished.unlink(missing_ok=True)


def _keep(state: dict, path: Path) -> None:
    """Write the state; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    torch.save(state, partial)
    partial.rename(path)


def _progress(training: Training) -> str:
    """The round, the last mini-batch's and the last evaluation's pass rate, and the processor's time so far."""
    arrays = training.record.arrays()
    counts = arrays["step/prompts_in_bin"][-1] if "step/prompts_in_bin" in arrays else [0]
    right = sum(k * int(count) for k, count in enumerate(counts)) / max(1, int(sum(counts)) * (len(counts) - 1))
    seconds = ", ".join(f"{part} {value:.0f}" for part, value in training.processor_seconds.items())
    rounds = f"round {min(training.number, training.run.schedule.num_rounds)} of {training.run.schedule.num_rounds}"
    return f"{rounds}, training {right:.2f}, held out {arrays['eval/pass_rate'][-1]:.3f}, CPU seconds: {seconds}"
