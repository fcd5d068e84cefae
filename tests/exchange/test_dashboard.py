"""The Grafana dashboard asks for gauges that the servers have, and for all of them."""

import json
import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from daro_verl.rollout.gauges import SnapshotGauges

DASHBOARD = json.loads((Path(__file__).parents[2] / "examples/grafana/daro_servers.json").read_text())
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
VARIABLES = [variable["query"]["query"] for variable in DASHBOARD["templating"]["list"] if variable["name"] == "job"]


def gauges() -> dict[str, tuple[str, ...]]:
    """The labels of every gauge, by name."""
    registry = CollectorRegistry()
    SnapshotGauges(registry)
    return {collector._name: collector._labelnames for collector in registry._collector_to_names}


def test_the_queries_ask_for_the_gauges_that_there_are():
    """A gauge that is renamed, added or removed fails here."""
    assert {name for query in QUERIES for name in re.findall(r"\bdaro_\w+", query)} == gauges().keys()
    assert VARIABLES == ["label_values(daro_serving, job)"]


def test_what_is_split_by_pass_rate_has_that_label():
    per_bin = {name for name, labels in gauges().items() if labels == ("pass_rate",)}
    split = [re.findall(r"by \(pass_rate\) \((daro_\w+)", query) for query in QUERIES]
    assert {name for names in split for name in names} == per_bin
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            assert ("{{pass_rate}}" in target["legendFormat"]) == target["expr"].startswith("avg by (pass_rate)")


def test_no_panel_lies_on_another():
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
