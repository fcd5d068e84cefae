"""The tables, the figure and the summary of the study that compares ways to choose prompts."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from benchmarks.convergence.report.cells import NOT_RUN, show, starred, table
from benchmarks.convergence.report.figures import moving_mean, panels, write
from benchmarks.convergence.report.prompt_measures import (
    FURTHER,
    MEASURES,
    TOKENS,
    Measure,
    area,
    brier,
    choosing_methods,
    difference,
    is_informative,
    limits,
    num_comparisons,
    predictions,
    value,
)
from benchmarks.convergence.report.results import Arrays, Results
from benchmarks.convergence.runs import Method

NUM_STEPS = 5
"""Of the scale on which predictions are compared with what came."""
PLACES = 101


def tables(results: Results) -> str:
    """Differences to uniform passes, what they are made of, and how good the predictions were."""
    num = num_comparisons(results)
    seeds = ", ".join(f"{len(limits(results, regime))} in {regime}" for regime in results.study.regimes)
    parts = [
        f"**Differences to uniform passes with the same weighting**, mean over paired seeds ({seeds}) ± standard "
        "error. AUC and final up to as many generated tokens as every method of the seed has; final is the mean over "
        f"the last tenth of them. \\* Student's interval, corrected for the {num} comparisons of a table, leaves out "
        "zero."
    ]
    for name, measure in MEASURES.items():
        parts += [f"{name}:", differences(results, measure)]
    parts += ["**The measures themselves**, and what was generated up to these tokens."]
    for regime in results.study.regimes:
        parts += [f"{regime}:", values(results, regime)]
    parts += [
        "**Predictions** of whether a group will have both right and wrong responses, for prompts that had been seen "
        "before. Brier score, in brackets that of a constant which knows the share; share that was informative among "
        "those predicted from 0 to 0.2, 0.2 to 0.4, ..",
        prediction(results),
    ]
    return "\n\n".join(parts)


def differences(results: Results, measure: Measure) -> str:
    """Methods by regimes."""
    num, regimes = num_comparisons(results), results.study.regimes
    rows = [
        [method.name, *(starred(difference(results, method, regime, measure), num) for regime in regimes)]
        for method in choosing_methods(results)
    ]
    return table(["method", *regimes], rows)


def values(results: Results, regime: str) -> str:
    """Methods by measures."""
    measures = MEASURES | FURTHER
    rows = [
        [method.name, *(show(value(results, method, regime, one)) for one in measures.values())]
        for method in results.study.methods
    ]
    return table(["method", *measures], rows)


def prediction(results: Results) -> str:
    """Methods and regimes by how good the predictions were, over all seeds."""
    rows = []
    for regime in results.study.regimes:
        for method in results.study.methods:
            runs = list(results.row(method, regime).values())
            rows.append([regime, method.name, *(_prediction(runs) if runs else [NOT_RUN] * 4)])
    return table(["regime", "method", "predicted", "informative", "Brier score", "informative, by prediction"], rows)


def _prediction(runs: list[Arrays]) -> list[str]:
    predicted, happened = (np.concatenate(part) for part in zip(*map(predictions, runs), strict=True))
    if not len(predicted):
        return [NOT_RUN] * 4
    step = np.minimum(predicted * NUM_STEPS, NUM_STEPS - 1).astype(int)
    shares = [f"{happened[step == one].mean():.2f}" if (step == one).any() else "-" for one in range(NUM_STEPS)]
    rate = happened.mean()
    cells = [f"{predicted.mean():.3f}", f"{rate:.3f}", f"{brier(predicted, happened):.3f} ({rate * (1 - rate):.3f})"]
    return [*cells, " ".join(shares)]


def summary(results: Results, method: Method, regime: str) -> dict[str, Any]:
    """The measures as plain values, and their differences to uniform passes."""
    found = {name: _plain(value(results, method, regime, one)) for name, one in (MEASURES | FURTHER).items()}
    if method in choosing_methods(results):
        found |= {
            f"{name} - uniform": _plain(difference(results, method, regime, one)) for name, one in MEASURES.items()
        }
    pairs = [predictions(run) for run in results.row(method, regime).values()]
    return {"at_equal_tokens": found, "brier_of_seed": [brier(*pair) for pair in pairs if len(pair[0])]}


def _plain(estimate: Any) -> dict[str, float] | None:
    return None if estimate is None else {"mean": estimate.mean, "standard_error": estimate.error}


def draw(results: Results, folder: Path) -> list[Path]:
    """One figure: pass rate over tokens, share of informative groups over rounds, differences at equal tokens."""
    if not any(limits(results, regime) for regime in results.study.regimes):
        return []
    folder.mkdir(parents=True, exist_ok=True)
    figure, axes = panels(3, len(results.study.regimes))
    for column, regime in zip(axes.T, results.study.regimes, strict=True):
        column[0].set(title=regime)
        if not limits(results, regime):
            continue
        _curves(results, regime, column[0])
        _shares(results, regime, column[1])
        _differences(results, regime, column[2])
        for axis in column:
            axis.xaxis.set_major_locator(MaxNLocator(5))
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=7)
    return [write(figure, folder / f"{results.study.name}.png")]


def _curves(results: Results, regime: str, axis: Axes) -> None:
    """Mean over seeds, up to the smallest total of any run."""
    limit = min(limits(results, regime).values())
    places = np.linspace(0, limit, PLACES)
    for method in results.study.methods:
        runs = results.row(method, regime).values()
        curves = [np.interp(places, run[TOKENS], run["eval/pass_rate"]) for run in runs]
        axis.plot(places / 1000, np.mean(curves, axis=0), label=method.name, **_style(results, method))
    axis.set(xlabel="thousand generated tokens", ylabel="pass rate, held-out")


def _shares(results: Results, regime: str, axis: Axes) -> None:
    for method in results.study.methods:
        shares = []
        for run in results.row(method, regime).values():
            counts = np.bincount(run["group/round"]), np.bincount(run["group/round"], is_informative(run))
            shares.append(counts[1] / counts[0])
        axis.plot(moving_mean(np.mean(shares, axis=0)), **_style(results, method))
    axis.set(xlabel="round", ylabel="informative, of those generated")


def _differences(results: Results, regime: str, axis: Axes) -> None:
    others = choosing_methods(results)
    for place, method in enumerate(others):
        found = difference(results, method, regime, area)
        if found is not None:
            low, high = found.interval(num_comparisons(results)) if found.num_seeds > 1 else (found.mean, found.mean)
            color = _style(results, method)["color"]
            axis.errorbar(found.mean, -place, xerr=(high - low) / 2, fmt="o", capsize=3, color=color)
    axis.axvline(0, color="grey", linewidth=0.8)
    axis.set(xlabel="AUC over tokens - uniform's")
    axis.set_yticks([-place for place in range(len(others))], [method.name for method in others], fontsize=7)


def _style(results: Results, method: Method) -> dict[str, Any]:
    """A color for each way to choose, a kind of line for each weighting."""
    methods = results.study.methods
    alike = [one for one in methods if one.options == method.options]
    first = method.options == methods[0].options
    return {"color": f"C{alike.index(method)}", "linestyle": "--" if first else "-", "linewidth": 1.2}
