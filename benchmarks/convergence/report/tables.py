"""Markdown tables of a study. A cell without a finished run says so."""

from collections.abc import Callable, Iterable

import numpy as np

from benchmarks.convergence.measures import Estimate, share_not_positive
from benchmarks.convergence.report.results import Arrays, Results, auc_of, final, of_steps
from benchmarks.convergence.runs import Method
from benchmarks.convergence.studies import BASELINES, DAPO, GRPO
from benchmarks.convergence.task import LEVELS

NOT_RUN = "not run"
ALL, LAST_TWO = slice(None), slice(-2, None)


def study_tables(results: Results) -> str:
    """All tables of the study, regime by regime."""
    study = results.study
    parts = [f"## {study.name}: {study.question}", _setting(results)]
    for regime in study.regimes:
        parts += [f"### {regime}", start_of(results, regime), comparison(results, regime), inside(results, regime)]
        parts.append(by_level(results, regime))
    return "\n\n".join(parts) + "\n"


def _setting(results: Results) -> str:
    study = results.study
    rates = " or ".join(f"{rate:g}" for rate in study.learning_rates)
    wanted = len(study.methods) * len(study.regimes) * len(study.learning_rates) * len(study.seeds)
    better = ", each method at its better one" if len(study.learning_rates) > 1 else ""
    return (
        f"{len(study.seeds)} seeds, {study.schedule.num_rounds} rounds, learning rate of the model {rates}{better}; "
        f"{results.num_runs} of {wanted} runs finished. Means over seeds ± standard error; differences are paired by "
        "seed. AUC is the mean of the evaluations."
    )


def start_of(results: Results, regime: str) -> str:
    """What the models of the regime are like before training."""
    runs = results.starts[regime]
    if not runs:
        return f"The models at the start: {NOT_RUN}."

    def mean(name: str) -> float:
        return float(np.mean([run[f"eval/{name}"][0] for run in runs]))

    bins = np.mean([run["eval/prompts_in_bin"][0] for run in runs], axis=0)
    return (
        f"At the start (mean of {len(runs)} models, held-out problems): pass rate {mean('pass_rate'):.3f}, length of "
        f"right / wrong responses {mean('length_right'):.1f} / {mean('length_wrong'):.1f} tokens "
        f"(ratio {mean('length_wrong') / mean('length_right'):.2f}; within a level {mean('gap_in_level'):.2f}), "
        f"cut off {mean('cut_off'):.1%}, problems with 0 .. {len(bins) - 1} of {len(bins) - 1} right: "
        f"{' '.join(f'{count:.0f}' for count in bins)}."
    )


def comparison(results: Results, regime: str) -> str:
    """AUC, final pass rate and paired differences to the study's first method and to the baselines."""
    study = results.study
    others = [method for method in study.methods if method is study.methods[0] or method in BASELINES]
    header = ["method", "lr", "AUC", "final"]
    header += [f"AUC - {other.name}" + (", equal responses" if other is DAPO else "") for other in others]
    if GRPO in study.methods:
        header += ["rounds to GRPO's final", "thousand responses to it"]
    rows = []
    for method in study.methods:
        row = [method.name, f"{results.learning_rate(method, regime):g}" if results.row(method, regime) else NOT_RUN]
        row += [_show(results.estimate(method, regime, measure)) for measure in (auc_of, final)]
        for other in others:
            difference = results.difference(method, other, regime, equal_responses=other is DAPO)
            row.append("" if other is method else _show(difference, signed=True))
        if GRPO in study.methods:
            row.append(_show_reached(results.reached(method, GRPO, regime, "round"), 1))
            row.append(_show_reached(results.reached(method, GRPO, regime, "num_generated"), 1000))
        rows.append(row)
    return _table(header, rows)


def inside(results: Results, regime: str) -> str:
    """What the optimizer steps were like: losses, weights, gradients."""
    measures: dict[str, Callable[[Arrays], float]] = {
        "share of L_k <= 0": lambda run: share_not_positive(of_steps(run, "loss")),
        "L_k, median": lambda run: _finite_median(of_steps(run, "loss")),
        "largest / smallest loss share, median": lambda run: _finite_median(of_steps(run, "loss_share_ratio")),
        "gradient norm, median": lambda run: _finite_median(of_steps(run, "grad_norm")),
        "clip fraction, mean": lambda run: float(of_steps(run, "clip_fraction").mean()),
        "generated responses": lambda run: float(run["eval/num_generated"][-1]),
        "length right, half way": lambda run: _half_way(run["eval/length_right"]),
        "length wrong, half way": lambda run: _half_way(run["eval/length_wrong"]),
    }
    rows = []
    for method in results.study.methods:
        estimates = [results.estimate(method, regime, measure) for measure in measures.values()]
        row = [method.name, *(NOT_RUN if one is None else f"{one.mean:.3g}" for one in estimates)]
        rows.append([*row, _final_weights(results, method, regime)])
    return _table(["method", *measures, "weights at the end, 1 .. G-1"], rows)


def by_level(results: Results, regime: str) -> str:
    """Mean pass rate over training, and at the end, per number of steps in the problem."""

    def mean_of(level: int, evaluations: slice) -> Callable[[Arrays], float]:
        return lambda run: float(run["eval/pass_rate_of_level"][evaluations, level].mean())

    measures = [mean_of(level, places) for places in (ALL, LAST_TWO) for level in range(len(LEVELS))]
    rows = [
        [method.name, *(_show(results.estimate(method, regime, measure)) for measure in measures)]
        for method in results.study.methods
    ]
    header = [f"AUC, {level} steps" for level in LEVELS] + [f"final, {level}" for level in LEVELS]
    return _table(["method", *header], rows)


def _half_way(values: np.ndarray) -> float:
    return float(values[len(values) // 2])


def _finite_median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else float("nan")


def _final_weights(results: Results, method: Method, regime: str) -> str:
    runs = results.row(method, regime).values()
    if not runs:
        return NOT_RUN
    weights = np.exp(np.mean([np.log(of_steps(run, "weight")[-1]) for run in runs], axis=0))
    return " ".join(f"{weight:.2g}" for weight in weights)


def _show(estimate: Estimate | None, signed: bool = False) -> str:
    return NOT_RUN if estimate is None else estimate.show(signed)


def _show_reached(places: list[float], unit: float) -> str:
    """Mean over the seeds that reached the target, and how many did."""
    reached = [place / unit for place in places if np.isfinite(place)]
    if not places:
        return NOT_RUN
    mean = f"{np.mean(reached):.0f}" if reached else "never"
    return mean if len(reached) == len(places) else f"{mean} ({len(reached)} of {len(places)} seeds)"


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    header = list(header)
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
