"""Colours and sizes, for a page in light and in dark mode.

Bins are ordered, so they have an ordered colour map: viridis, which is safe for colour-blind readers. The end that
would vanish on the background is left out. Methods have colours after Okabe and Ito, and a line style each. In both
modes their contrast with the background is 3:1 or more.
"""

from dataclasses import dataclass, field

LINE_STYLES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class Theme:
    """The differences between the modes. ``bins`` and ``moments``: a colour map, and the part of it that is used."""

    name: str
    background: str
    ink: str
    muted: str
    grid: str
    methods: tuple[str, ...]
    bins: tuple[str, float, float]
    moments: tuple[str, float, float]
    rc: dict = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rc", _rc(self))

    def ordered(self, ramp: tuple[str, float, float], count: int) -> list:
        """``count`` colours along a ramp, in order."""
        from matplotlib import colormaps

        name, start, end = ramp
        return [colormaps[name](start + (end - start) * i / max(count - 1, 1)) for i in range(count)]

    def method(self, index: int) -> dict:
        """Colour and line style of a method, as keywords of ``Axes.plot``."""
        count = len(self.methods)
        style = LINE_STYLES[(index + index // count) % len(LINE_STYLES)]
        return {"color": self.methods[index % count], "linestyle": style}


def _rc(theme: Theme) -> dict:
    return {
        "font.size": 10.5,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlepad": 9,
        "axes.labelsize": 10.5,
        "axes.edgecolor": theme.muted,
        "axes.facecolor": theme.background,
        "axes.labelcolor": theme.ink,
        "axes.titlecolor": theme.ink,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": theme.grid,
        "grid.linewidth": 0.7,
        "figure.facecolor": theme.background,
        "savefig.facecolor": theme.background,
        "text.color": theme.ink,
        "xtick.color": theme.muted,
        "ytick.color": theme.muted,
        "xtick.labelcolor": theme.ink,
        "ytick.labelcolor": theme.ink,
        "legend.frameon": False,
        "legend.fontsize": 9.5,
        "lines.linewidth": 1.7,
        "lines.markersize": 4.5,
        "svg.hashsalt": "daro_verl.report",
        "text.parse_math": False,
    }


LIGHT = Theme(
    name="light",
    background="#ffffff",
    ink="#1f2328",
    muted="#6e7781",
    grid="#e3e7ec",
    methods=("#0072b2", "#d55e00", "#009e73", "#aa4499", "#8c6d00", "#4d5560"),
    bins=("viridis", 0.0, 0.87),
    moments=("Blues", 0.35, 1.0),
)
DARK = Theme(
    name="dark",
    background="#0d1117",
    ink="#e6edf3",
    muted="#8b949e",
    grid="#272e38",
    methods=("#56b4e9", "#f0803c", "#2ec49a", "#dd8fc4", "#8f9dff", "#f0d24c"),
    bins=("viridis", 0.28, 1.0),
    moments=("Blues_r", 0.1, 0.8),
)
THEMES = (LIGHT, DARK)
