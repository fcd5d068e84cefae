"""The whole report of some studies: Markdown, figures, and a JSON summary. It has no date."""

import json
import os
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.convergence.campaign import commit
from benchmarks.convergence.measures import Estimate, share_not_positive
from benchmarks.convergence.report import prompts
from benchmarks.convergence.report.choices import learning_rates, power
from benchmarks.convergence.report.evidence import evidence, fill
from benchmarks.convergence.report.figures import draw
from benchmarks.convergence.report.results import (
    Arrays,
    Results,
    at_equal_responses,
    auc_difference,
    auc_of,
    final,
    of_steps,
)
from benchmarks.convergence.report.tables import study_tables
from benchmarks.convergence.runs import Method
from benchmarks.convergence.studies import CONFIRMATION, Study

FIRST_TABLES: dict[str, Callable[[Results], str]] = {
    "pilot": power,
    "tuning": learning_rates,
    "confirmation": evidence,
    "prompts": prompts.tables,
}
"""What stands before a study's own tables."""
FIGURES: dict[str, Callable[[Results, Path], list[Path]]] = {"prompts": prompts.draw}
"""Where a study has others than the rest: its methods generate different numbers of responses in a round."""
FURTHER: dict[str, Callable[[Results, Method, str], dict[str, Any]]] = {"prompts": prompts.summary}
"""What the summary of a study has beside the rest."""
PACKAGES = ("torch", "verl", "daro-verl", "numpy")


def write_report(
    studies: list[Study], folder: Path, results_folder: Path, notice: str = "", page_of_evidence: Path | None = None
) -> list[Path]:
    """One Markdown and one JSON file per study and its figures, from the runs under ``folder``.

    Args:
        notice: a line for the top of each file.
        page_of_evidence: gets the first tables of the study that confirms.
    """
    written = []
    for study in studies:
        results = Results(study, folder)
        figures = FIGURES.get(study.name, draw)(results, results_folder)
        images = "\n".join(f"![{path.stem}]({path.name})" for path in figures)
        machine = ", ".join(f"{name} {value}" for name, value in about()["versions"].items())
        minutes = results.minutes_on_two_cores()
        time = "not noted" if minutes is None else f"{minutes:.0f} minutes on two cores, by the processor's time"
        where = f"{results.num_runs} runs of commit {', '.join(sorted(results.commits)) or 'none'}, {time}; {machine}."
        first = FIRST_TABLES.get(study.name, lambda results: "")(results)
        text = "\n\n".join(part for part in (notice, first, study_tables(results), images, where) if part) + "\n"
        page, summary = results_folder / f"{study.name}.md", results_folder / f"{study.name}.json"
        results_folder.mkdir(parents=True, exist_ok=True)
        page.write_text(text)
        summary.write_text(json.dumps({"notice": notice, **summarise(results)}, indent=1) + "\n")
        written += [page, summary, *figures]
        if page_of_evidence and study.name == CONFIRMATION.name:
            fill(page_of_evidence, results)
    return written


def summarise(results: Results) -> dict[str, Any]:
    """The figures of the tables as plain values, with what they were measured on."""
    study = results.study
    regimes = {}
    for regime in study.regimes:
        seconds = results.seconds[regime]
        regimes[regime] = {"seconds_per_run": sum(seconds) / len(seconds) if seconds else None}
        regimes[regime]["methods"] = {method.name: _of_method(results, method, regime) for method in study.methods}
    return {
        "study": study.name,
        "question": study.question,
        "seeds": list(study.seeds),
        "num_rounds": study.num_rounds(),
        "runs_finished": results.num_runs,
        "commits_of_runs": sorted(results.commits),
        "minutes_on_two_cores": results.minutes_on_two_cores(),
        **about(),
        "regimes": regimes,
    }


def about() -> dict[str, Any]:
    """Commit, versions and machine of the report."""
    versions = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    return {"commit_of_report": commit(), "cores": os.cpu_count(), "versions": versions}


def _of_method(results: Results, method: Method, regime: str) -> dict[str, Any] | None:
    if not results.row(method, regime):
        return None
    baseline, pairs = results.study.methods[0], results.study.pairs_with_dynamic_sampling()
    plain = next((plain for plain, sampled in pairs if sampled is method), None)
    sampling = {
        f"auc_minus_the_same_without_dynamic_sampling{name}": _plain(results.difference(method, plain, regime, measure))
        for name, measure in (("", auc_difference), (", equal responses", at_equal_responses))
        if plain
    }
    further = FURTHER.get(results.study.name, lambda *of: {})(results, method, regime)
    return (
        sampling
        | further
        | {
            "options": dict(method.options),
            "clip_high": method.clip_high,
            "dynamic_sampling": method.dynamic_sampling,
            "prompts": method.prompts,
            "learning_rate": results.learning_rate(method, regime),
            "auc_of_seed": {seed: auc_of(run) for seed, run in results.row(method, regime).items()},
            "auc": _plain(results.estimate(method, regime, auc_of)),
            "final": _plain(results.estimate(method, regime, final)),
            f"auc_minus_{baseline.name}": _plain(results.difference(method, baseline, regime)),
            "share_of_losses_not_positive": _plain(results.estimate(method, regime, _share_not_positive)),
        }
    )


def _share_not_positive(run: Arrays) -> float:
    return share_not_positive(of_steps(run, "loss"))


def _plain(estimate: Estimate | None) -> dict[str, float] | None:
    return None if estimate is None else {"mean": estimate.mean, "standard_error": estimate.error}
