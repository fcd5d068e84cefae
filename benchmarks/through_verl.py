"""Methods through verl itself on a pretrained model: the quickstart's job for each method and seed, one by one.

verl's own trainer, a Megatron actor and a vLLM server train SmolLM2-135M-Instruct. A seed is the order of the training
prompts; sampling differs in every run. Validated half way and at the end: the start is the same model for all.
A benchmark that was stopped goes on where it was, also within a job; jobs in the results are not run again, also where
their folders are gone. So seeds can be added one night at a time, on any machine with the same settings.

    python -m benchmarks.through_verl --seeds 3                  # weightings: 15 jobs as long as `make quickstart`
    python -m benchmarks.through_verl --study prompts --seeds 1  # choosing prompts, of 48 that come again and again
    python -m benchmarks.through_verl --tables-only              # of the jobs that are finished

Jobs are under ``outputs/through_verl``, results and their table under ``benchmarks/results``.
"""

import argparse
import itertools
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markdown import Markdown

from benchmarks.convergence.measures import Estimate
from benchmarks.convergence.report.cells import NOT_RUN, table
from benchmarks.cost.machine import describe
from daro_verl.config import DaroConfig
from examples.quickstart.history import held_out_by_level, read_attempts, training_steps
from examples.quickstart.job import REPOSITORY
from examples.quickstart.smollm2 import TASK

RESULTS = REPOSITORY / "benchmarks" / "results"
END, MEAN, EARLY, LATE = (
    "held out, end",
    "held out, mean over training",
    "informative, first half",
    "informative, second",
)
WEIGHTING, PROMPTS = "+algorithm.daro.weighting", "+algorithm.daro.prompts"
Run = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """What is compared.

    Attributes:
        methods: settings of the job, by name; the first method is what the others differ from.
        measures: the columns of the table.
    """

    name: str
    methods: dict[str, list[str]]
    measures: tuple[str, ...]


FEW = "data.train_max_samples=48"  # four steps of twelve: in ten steps each comes twice or three times
STUDIES = {
    study.name: study
    for study in (
        Study(
            "weightings",
            {
                "GRPO": [f"{WEIGHTING}=grpo"],
                "DARO": [f"{WEIGHTING}=learned"],
                "DARO, paper's form": [f"{WEIGHTING}=paper"],
                "F-GRPO": [f"{WEIGHTING}=focal"],
                "LIPO": [f"{WEIGHTING}=lipo"],
            },
            (END, MEAN),
        ),
        Study(
            "prompts",
            {"uniform": [FEW], "informative": [FEW, f"{PROMPTS}=informative"], "band": [FEW, f"{PROMPTS}=band"]},
            (EARLY, LATE, END),
        ),
    )
}


def folder_of(folder: Path, method: str, seed: int) -> Path:
    """Of one job: the method's words, joined by hyphens, and the seed."""
    return folder / f"{'-'.join(re.findall(r'[a-z]+', method.lower()))}-seed{seed}"


def train(folder: Path, settings: list[str], seed: int, steps: int) -> None:
    """One job, from where it is; nothing where it is finished."""
    command = [sys.executable, "-m", "examples.quickstart", "--model", "smollm2", "--method", "daro"]
    command += ["--output", str(folder), "--steps", str(steps)]
    command += [f"data.seed={seed}", f"trainer.test_freq={steps // 2}", "trainer.val_before_train=False", *settings]
    subprocess.run(command, cwd=REPOSITORY, check=True)


def measure(history: dict[int, dict], steps: int) -> dict[str, float] | None:
    """Pass rates in [0, 1], of the held-out problems (mean of the levels) and in training; None before the end."""
    validated = {step: held_out_by_level(metrics, TASK.sources) for step, metrics in history.items() if step}
    rates = {step: sum(levels.values()) / len(levels) for step, levels in validated.items() if levels}
    if steps not in rates:
        return None
    trained = training_steps(history)
    shares = {step: metrics.get("daro/prompts/informative") for step, metrics in trained.items()}
    early, late = ([share for step, share in shares.items() if (step > steps // 2) is half] for half in (False, True))
    return {
        "held out, half way": rates[steps // 2],
        END: rates[steps],
        MEAN: sum(rates.values()) / len(rates),
        "training score, mean": _mean([metrics["critic/score/mean"] for metrics in trained.values()]),
        "minutes": sum(metrics["perf/time_per_step"] for metrics in trained.values()) / 60,
        EARLY: _mean(early),
        LATE: _mean(late),
    }


def _mean(values: list[float | None]) -> float:
    """NaN where something was not logged."""
    return float(np.mean(np.array(values, dtype=float)))


def settings_of(study: Study, steps: int) -> dict[str, Any]:
    """What results must have in common to be of one table: also what the defaults of the weightings are."""
    weightings = {name: weighting_of(settings) for name, settings in study.methods.items()}
    defaults = {name: DaroConfig.from_mapping({"weighting": own}).to_dict() for name, own in weightings.items()}
    learning = ("weighting", "weight_lr", "weight_init", "loss_signal", "weight_min", "weight_max", "loss_ema_decay")
    options = {name: {option: own[option] for option in learning} for name, own in defaults.items()}
    return {"study": study.name, "steps": steps, "methods": study.methods, "options": options}


def weighting_of(settings: list[str]) -> str:
    """The option among the settings of a job, or the default."""
    return next((setting.partition("=")[2] for setting in settings if setting.startswith(WEIGHTING)), "learned")


def recorded(results: Path, study: Study, steps: int) -> list[Run]:
    """The runs of earlier benchmarks with the same settings; none where the settings were others."""
    known = json.loads(results.read_text()) if results.exists() else {}
    own = json.loads(json.dumps(settings_of(study, steps)))
    return known["runs"] if {key: known.get(key) for key in own} == own else []


def record(results: Path, study: Study, steps: int, runs: list[Run]) -> None:
    """Runs and their table."""
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps({**describe(), **settings_of(study, steps), "runs": runs}, indent=1) + "\n")
    results.with_suffix(".md").write_text(report(study, runs) + "\n")


def report(study: Study, runs: list[Run]) -> str:
    """A table with a row per method, standard errors over seeds and differences paired by seed."""
    first = next(iter(study.methods))
    header = ["method", "seeds", *(cell for measured in study.measures for cell in (measured, f"less {first}'s"))]
    by_method = {name: {run["seed"]: run for run in runs if run["method"] == name} for name in study.methods}
    rows = []
    for name, own in by_method.items():
        paired = sorted(own.keys() & by_method[first].keys()) if name != first else []
        cells = [name, str(len(own))]
        for measured in study.measures:
            cells.append(Estimate.of([run[measured] for run in own.values()]).show() if own else NOT_RUN)
            gaps = [own[seed][measured] - by_method[first][seed][measured] for seed in paired]
            cells.append(Estimate.of(gaps).show(signed=True) if gaps else "" if name == first else NOT_RUN)
        rows.append(cells)
    return table(header, rows)


def main() -> None:
    text = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.through_verl", description=__doc__, formatter_class=text)
    parser.add_argument("--study", choices=STUDIES, default="weightings")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0 .. SEEDS - 1")
    parser.add_argument("--steps", type=int, default=TASK.steps)
    parser.add_argument("--methods", nargs="+", metavar="METHOD", help="some of the study's")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "outputs" / "through_verl")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--tables-only", action="store_true", help="of the jobs that are finished")
    args = parser.parse_args()
    study, folder = STUDIES[args.study], args.folder.resolve()
    if unknown := set(args.methods or ()) - study.methods.keys():
        parser.error(f"--methods: got {sorted(unknown)}, expected some of {', '.join(study.methods)}")
    results = args.out / ("through_verl.json" if study.name == "weightings" else f"through_verl_{study.name}.json")
    runs = recorded(results, study, args.steps)
    for seed, method in itertools.product(range(args.seeds), args.methods or study.methods):
        if any((run["method"], run["seed"]) == (method, seed) for run in runs):
            continue
        job = folder_of(folder, method, seed)
        if not args.tables_only:
            print(f"{method}, seed {seed}", flush=True)
            train(job, study.methods[method], seed, args.steps)
        if found := measure(read_attempts(job / "daro" / "attempts"), args.steps):
            runs.append({"method": method, "seed": seed, **found})
            record(results, study, args.steps, runs)
    Console().print(Markdown(report(study, runs)))


if __name__ == "__main__":
    main()
