"""Figures of a study, as PNG files."""

import re
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from benchmarks.convergence.report.results import Results, of_steps
from benchmarks.convergence.runs import Method

DPI, PANEL_WIDTH, PANEL_HEIGHT = 80, 4.0, 3.0
WINDOW = 20  # optimizer steps that a line of losses averages over


def draw(results: Results, folder: Path) -> list[Path]:
    """All figures of a study; those without a finished run are left out."""
    if not results.num_runs:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    paths = [learning_curves(results, folder), differences(results, folder)]
    drawn = [method for method in results.study.drawn if method in results.study.methods]
    return paths + [losses_and_weights(results, method, folder) for method in drawn]


def learning_curves(results: Results, folder: Path) -> Path:
    """Pass rate over rounds: mean over seeds, with a band of one standard error."""
    figure, axes = panels(1, len(results.study.regimes))
    for axis, regime in zip(axes[0], results.study.regimes, strict=True):
        for method in results.study.methods:
            runs = list(results.row(method, regime).values())
            if runs:
                _band(axis, runs[0]["eval/round"], np.stack([run["eval/pass_rate"] for run in runs]), method.name)
        axis.set(title=regime, xlabel="round", ylabel="pass rate, held-out")
    axes[0][0].legend(fontsize=6)
    return write(figure, folder / f"{results.study.name}-curves.png")


def differences(results: Results, folder: Path) -> Path:
    """Paired difference of AUC to the study's first method, with two standard errors to each side."""
    reference, *others = results.study.methods
    columns = min(3, len(results.study.regimes))
    figure, axes = panels(-(-len(results.study.regimes) // columns), columns, sharex=True, sharey=True)
    for axis, regime in zip(axes.flat, results.study.regimes, strict=False):
        for place, method in enumerate(others):
            difference = results.difference(method, reference, regime)
            if difference is not None:
                axis.errorbar(difference.mean, -place, xerr=2 * np.nan_to_num(difference.error), fmt="o", capsize=3)
        axis.axvline(0, color="grey", linewidth=0.8)
        axis.set(title=regime)
        axis.set_yticks([-place for place in range(len(others))], [method.name for method in others], fontsize=8)
    figure.supxlabel(f"mean held-out pass rate over training - {reference.name}'s (± 2 standard errors)", fontsize=9)
    return write(figure, folder / f"{results.study.name}-differences.png")


def losses_and_weights(results: Results, method: Method, folder: Path) -> Path:
    """``L_k`` (moving mean) and ``w_k`` per bin over optimizer steps, mean over seeds."""
    figure, axes = panels(2, len(results.study.regimes))
    for column, regime in enumerate(results.study.regimes):
        runs = list(results.row(method, regime).values())
        for row, name in enumerate(("loss", "weight")):
            axis: Axes = axes[row][column]
            for k in range(of_steps(runs[0], "loss").shape[1] if runs else 0):
                values = _mean_over_seeds([of_steps(run, name)[:, k] for run in runs])
                color = plt.get_cmap("viridis")(k / 6)
                axis.plot(moving_mean(values) if name == "loss" else values, color=color, label=f"k = {k + 1}")
            axis.set(title=f"{regime}, {method.name}", xlabel="optimizer step", ylabel=("L_k", "w_k")[row])
        axes[0][column].axhline(0, color="grey", linewidth=0.8)
        axes[1][column].set_yscale("log")
    axes[0][0].legend(fontsize=6)
    return write(figure, folder / f"{results.study.name}-weights-{_slug(method.name)}.png")


def _slug(name: str) -> str:
    return "-".join(re.findall(r"\w+", name)).lower()


def _band(axis: Axes, places: np.ndarray, curves: np.ndarray, label: str) -> None:
    mean = curves.mean(axis=0)
    error = curves.std(axis=0, ddof=1) / np.sqrt(len(curves)) if len(curves) > 1 else np.zeros_like(mean)
    (line,) = axis.plot(places, mean, label=label, linewidth=1.2)
    axis.fill_between(places, mean - error, mean + error, color=line.get_color(), alpha=0.15, linewidth=0)


def _mean_over_seeds(values: list[np.ndarray]) -> np.ndarray:
    """Mean of the seeds whose bin is present, up to the shortest run; NaN where it is present in none."""
    stacked = np.stack([one[: min(map(len, values))] for one in values])
    present = np.isfinite(stacked)
    total = np.where(present, stacked, 0).sum(axis=0)
    return np.where(present.any(axis=0), total / present.sum(axis=0).clip(min=1), np.nan)


def moving_mean(values: np.ndarray) -> np.ndarray:
    present = np.isfinite(values).astype(float)
    window = np.ones(min(WINDOW, len(values)))
    total, count = (np.convolve(part, window, mode="same") for part in (np.nan_to_num(values), present))
    return np.where(count > 0, total / count.clip(min=1), np.nan)


def panels(num_rows: int, num_columns: int, **shared: bool) -> tuple:
    size = PANEL_WIDTH * num_columns, PANEL_HEIGHT * num_rows
    return plt.subplots(num_rows, num_columns, figsize=size, squeeze=False, layout="constrained", **shared)


def write(figure: plt.Figure, path: Path) -> Path:
    figure.savefig(path, dpi=DPI, pil_kwargs={"optimize": True})
    plt.close(figure)
    return path
