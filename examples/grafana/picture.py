"""Draw the dashboard without Grafana: its panels in their places, from Prometheus' answers to their queries.

python examples/grafana/picture.py http://127.0.0.1:9090 docs/grafana.png --minutes 15
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from matplotlib.figure import Figure

from daro_verl.toolkit.report.theme import DARK

DASHBOARD = Path(__file__).with_name("daro_servers.json")
COLUMNS, POINTS = 24, 240
Series = list[tuple[str, list[float], list[float]]]  # name, minutes, values


def ask(address: str, query: str, legend: str, start: float, end: float) -> Series:
    """The series that answer a panel's query, named by the panel's legend."""
    step = max(1.0, (end - start) / POINTS)
    values = {"query": query.replace('job=~"$job"', 'job=~".*"'), "start": start, "end": end, "step": step}
    with urlopen(f"{address}/api/v1/query_range?{urlencode(values)}") as answer:
        found = json.load(answer)["data"]["result"]
    return [
        (
            _named(legend, row["metric"]),
            [(float(at) - start) / 60 for at, _ in row["values"]],
            [float(value) for _, value in row["values"]],
        )
        for row in found
    ]


def _named(legend: str, labels: dict[str, str]) -> str:
    for label, value in labels.items():
        legend = legend.replace("{{" + label + "}}", value)
    return legend


def draw(dashboard: dict[str, Any], answers: dict[int, Series]) -> Figure:
    """Draw all panels in their places."""
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    figure = Figure(figsize=(16, 0.46 * height))
    grid = figure.add_gridspec(height, COLUMNS, left=0.04, right=0.98, bottom=0.05, top=0.96, hspace=6, wspace=4)
    for panel in dashboard["panels"]:
        x, y, w, h = (panel["gridPos"][name] for name in "xywh")
        axes = figure.add_subplot(grid[y : y + h, x : x + w])
        axes.set_title(panel["title"], fontsize=9)
        series = answers[panel["id"]]
        if panel["type"] == "stat":
            axes.axis("off")
            axes.text(0, 0.3, _stat(panel, series), ha="left", va="center", fontsize=22)
            continue
        colours = DARK.ordered(DARK.bins, len(series))
        for (name, minutes, values), colour in zip(sorted(series), colours, strict=True):
            axes.plot(minutes, values, color=colour, label=name, drawstyle="steps-post", linewidth=1.4)
        axes.tick_params(labelsize=8)
        if y + h == height:
            axes.set_xlabel("minutes", fontsize=8)
        if len(series) > 1:
            axes.legend(loc="upper left", ncols=len(series), fontsize=7, handlelength=1, columnspacing=1)
            axes.margins(y=0.15)
    return figure


def _stat(panel: dict[str, Any], series: Series) -> str:
    value = series[-1][2][-1] if series else float("nan")
    unit = panel["fieldConfig"]["defaults"].get("unit")
    return f"{value:.0f} s" if unit == "s" else f"{value:g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prometheus", help="Address of Prometheus.")
    parser.add_argument("picture", type=Path, help="The file to write.")
    parser.add_argument("--minutes", type=float, default=60, help="Minutes to show. Default: 60.")
    parser.add_argument("--end", type=float, default=time.time(), help="Last moment, as Unix time. Default: now.")
    args = parser.parse_args()
    dashboard = json.loads(DASHBOARD.read_text())
    start = args.end - 60 * args.minutes
    answers = {
        panel["id"]: [
            series
            for target in panel["targets"]
            for series in ask(args.prometheus, target["expr"], target["legendFormat"], start, args.end)
        ]
        for panel in dashboard["panels"]
    }
    from matplotlib import rc_context

    with rc_context(DARK.rc):
        draw(dashboard, answers).savefig(args.picture, dpi=110)


if __name__ == "__main__":
    main()
