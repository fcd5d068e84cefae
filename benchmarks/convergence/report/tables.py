"""Markdown tables of a study. A cell without a finished run says so."""

from collections.abc import Callable

import numpy as np

from benchmarks.convergence.measures import share_not_positive
from benchmarks.convergence.methods import BASELINES, DAPO, GRPO
from benchmarks.convergence.report.cells import NOT_RUN, show, show_reached, show_short, table
from benchmarks.convergence.report.results import (
    Arrays,
    Results,
    at_equal_responses,
    auc_difference,
    auc_of,
    final,
    of_steps,
)
from benchmarks.convergence.runs import Method

ALL, LAST_TWO = slice(None), slice(-2, None)


def study_tables(results: Results) -> str:
    """All tables of the study, regime by regime."""
    study = results.study
    parts = [f"## {study.name}: {study.question}", _setting(results)]
    for regime in study.regimes:
        parts += [f"### {regime}", start_of(results, regime), comparison(results, regime), inside(results, regime)]
        parts += [by_level(results, regime)] + ([by_rate(results, regime)] if len(study.learning_rates) > 1 else [])
        parts += [dynamic_sampling(results, regime)] if study.pairs_with_dynamic_sampling() else []
    return "\n\n".join(parts) + "\n"


def _setting(results: Results) -> str:
    study = results.study
    rates = " or ".join(f"{rate:g}" for rate in study.learning_rates)
    wanted = len(study.methods) * len(study.regimes) * len(study.learning_rates) * len(study.seeds)
    better = ", each method at its better one" if len(study.learning_rates) > 1 else ""
    rounds = " or ".join(map(str, study.num_rounds()))
    return (
        f"{len(study.seeds)} seeds, {rounds} rounds, learning rate of the model {rates}{better}; "
        f"{results.num_runs} of {wanted} runs finished. Means over seeds ± standard error; differences are paired by "
        "seed. AUC is the mean of the evaluations. Rounds and responses to GRPO's final are medians over the seeds."
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
        row += [show(results.estimate(method, regime, measure)) for measure in (auc_of, final)]
        for other in others:
            difference = results.difference(method, other, regime, at_equal_responses if other is DAPO else None)
            row.append("" if other is method else show(difference, signed=True))
        if GRPO in study.methods:
            row.append(show_reached(results.reached(method, GRPO, regime, "round"), 1))
            row.append(show_reached(results.reached(method, GRPO, regime, "num_generated"), 1000))
        rows.append(row)
    return table(header, rows)


def inside(results: Results, regime: str) -> str:
    """What the optimizer steps were like: losses, weights, gradients."""
    measures: dict[str, Callable[[Arrays], float]] = {
        "share of L_k <= 0": lambda run: share_not_positive(of_steps(run, "loss")),
        "L_k, median": lambda run: _finite_median(of_steps(run, "loss")),
        "largest / smallest loss share, median": lambda run: _finite_median(of_steps(run, "loss_share_ratio")),
        "gradient norm, median": lambda run: _finite_median(of_steps(run, "grad_norm")),
        "clip fraction, mean": lambda run: float(of_steps(run, "clip_fraction").mean()),
        "generated responses": lambda run: float(run["eval/num_generated"][-1]),
        "thousand generated tokens": lambda run: float(run["eval/num_tokens"][-1]) / 1000,
        "length right, half way": lambda run: _half_way(run["eval/length_right"]),
        "length wrong, half way": lambda run: _half_way(run["eval/length_wrong"]),
    }
    rows = []
    for method in results.study.methods:
        estimates = [results.estimate(method, regime, measure) for measure in measures.values()]
        row = [method.name, *(show_short(one) for one in estimates)]
        rows.append([*row, _final_weights(results, method, regime)])
    return table(["method", *measures, "weights at the end, 1 .. G-1"], rows)


def by_level(results: Results, regime: str) -> str:
    """Mean pass rate over training, and at the end, per level of the task."""

    def mean_of(level: int, evaluations: slice) -> Callable[[Arrays], float]:
        return lambda run: float(run["eval/pass_rate_of_level"][evaluations, level].mean())

    levels = results.study.levels
    measures = [mean_of(level, places) for places in (ALL, LAST_TWO) for level in range(len(levels))]
    rows = [
        [method.name, *(show(results.estimate(method, regime, measure)) for measure in measures)]
        for method in results.study.methods
    ]
    header = [f"AUC, {level}" for level in levels] + [f"final, {level}" for level in levels]
    return table(["method", *header], rows)


def by_rate(results: Results, regime: str) -> str:
    """AUC at each learning rate, and its difference to the study's first method at the same one."""
    first, header, rows = results.study.methods[0], ["method"], []
    for rate in results.study.learning_rates:
        header += [f"AUC, lr {rate:g}", f"- {first.name}, lr {rate:g}"]
    for method in results.study.methods:
        cells = [method.name]
        for rate in results.study.learning_rates:
            cells.append(show(results.estimate(method, regime, auc_of, rate)))
            difference = results.difference(method, first, regime, rate=rate)
            cells.append("" if method is first else show(difference, signed=True))
        rows.append(cells)
    return table(header, rows)


def dynamic_sampling(results: Results, regime: str) -> str:
    """What dynamic sampling adds to each method, per round and at equally many generated responses."""
    measures = (auc_difference, at_equal_responses)
    rows = [
        [plain.name, *(show(results.difference(sampled, plain, regime, measure), signed=True) for measure in measures)]
        for plain, sampled in results.study.pairs_with_dynamic_sampling()
    ]
    return table(["AUC with dynamic sampling - without", "per round", "at equal responses"], rows)


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
