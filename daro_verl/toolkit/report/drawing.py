"""Functions that all figures share: axes, curves, legends outside the data, and files."""

import io
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from daro_verl.errors import DaroConfigError
from daro_verl.toolkit.report.theme import Theme

MARKED_POINTS = 25  # curves with fewer points show them
LOG_RATIO = 3.0  # positive values that span more than this factor have a logarithmic axis
NAMED_BINS = 8
MOST_POINTS = 800
DPI = 160

Values = TypeVar("Values", pd.Series, pd.DataFrame)


def require_matplotlib() -> None:
    """Check that matplotlib is installed.

    Raises:
        DaroConfigError: matplotlib is not installed. The message says how to install it.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        fix = "pip install matplotlib"
        raise DaroConfigError("report", got=str(error), expected="matplotlib", fix=fix) from error


def styled(draw: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function ``(..., theme) -> Figure`` draw in the theme's style, without changing matplotlib's own."""

    @wraps(draw)
    def wrapped(*args: Any, theme: Theme, **kwargs: Any) -> Any:
        from matplotlib import rc_context

        with rc_context(theme.rc):
            return draw(*args, theme=theme, **kwargs)

    return wrapped


def new_figure(num_panels: int, height: float = 3.6, share_y: bool = False, ratios: Sequence[float] = ()) -> Any:
    """Return a figure of panels in a row, and the list of their axes. pyplot is not used, so nothing stays open."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(wspace=0.05)
    figure = Figure(figsize=(10.5 if num_panels > 1 else 8.0, height), layout=layout)
    widths = list(ratios) or [1] * num_panels
    axes = figure.subplots(1, num_panels, squeeze=False, sharey=share_y, width_ratios=widths)[0]
    return figure, list(axes)


def thin(values: Values) -> Values:
    """Every n-th step and the last, at most as many as a panel has pixels. Files of long runs then stay small."""
    count: int = len(values)
    stride: int = max(1, -(-count // MOST_POINTS))
    return values.iloc[sorted({*range(0, count, stride), *range(count - 1, count)})]


def curve(axes: Any, values: pd.Series, **style: Any) -> None:
    """Draw one curve over steps. Markers show the points if there are few, so a single point is visible."""
    values = thin(values)
    marker = "o" if len(values) <= MARKED_POINTS else ""
    axes.plot(values.index.to_numpy(), values.to_numpy(), marker=marker, **style)


def step_axis(axes: Any) -> None:
    """Label the axis with whole training steps. Call this when everything is drawn."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("training step")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    first, last = axes.dataLim.intervalx
    if last - first < 1:
        axes.set_xlim(first - 1, last + 1)


def pass_rate_axis(axes: Any, bins: Sequence[int], num_rollouts: int) -> None:
    """Label the axis with bins as fractions, ``3/8``. If there are many, only some have a label."""
    stride = -(-len(bins) // (9 if num_rollouts < 10 else 5))
    shown = bins[::stride]
    axes.set_xticks(shown, [f"{k}/{num_rollouts}" for k in shown])
    axes.set_xlabel("pass rate of the prompt")


def value_axis(axes: Any, values: np.ndarray) -> None:
    """Make the axis logarithmic with plain numbers if positive values span a wide range, else linear."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    if not len(values) or values.min() <= 0 or values.max() / values.min() < LOG_RATIO:
        return
    axes.set_yscale("log")
    decades = np.log10(values.max() / values.min())
    subs = (1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)
    axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def bin_legend(figure: Any, colours: dict[int, Any], num_rollouts: int, extra: Sequence[Any] = ()) -> None:
    """Add a legend right of the panels: bins, easiest at the top, then other handles. Of many bins, some are named."""
    from matplotlib.lines import Line2D

    bins = sorted(colours, reverse=True)
    named = bins[:: -(-len(bins) // NAMED_BINS)]
    handles = [Line2D([], [], color=colours[k], lw=3, label=f"pass rate {k}/{num_rollouts}") for k in named]
    gap = [Line2D([], [], linestyle="none", label=" ")] if extra else []
    figure.legend(handles=[*handles, *gap, *extra], loc="outside right center", handlelength=1.6)


def save(figure: Any, theme: Theme, format_: str) -> bytes:
    """The file's content as ``png`` or ``svg``. In SVG, text is paths, so it looks the same everywhere."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    metadata = {"Date": None, "Creator": None} if format_ == "svg" else {"Software": None}
    with rc_context(theme.rc):
        figure.savefig(buffer, format=format_, dpi=DPI, metadata=metadata)
    return buffer.getvalue()
