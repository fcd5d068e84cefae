"""The ready charts: they show metrics that a job logs, and TensorBoard reads them."""

import re
import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout

from daro_verl.cli import main
from daro_verl.errors import DaroConfigError
from daro_verl.metric_set import FAULTS, SMALL
from daro_verl.toolkit.layout.charts import SECTIONS
from daro_verl.toolkit.layout.wandb import workspace
from tests.unit.test_metrics import metrics_of

PATTERNS = [metric for charts in SECTIONS.values() for chart in charts for metric in chart.metrics]


def matched(name: str) -> bool:
    return any(re.fullmatch(pattern, name) for pattern in PATTERNS)


def test_everything_of_the_small_set_is_drawn():
    names = (SMALL | FAULTS) - {"daro/weight_version/max"}  # a count of steps
    assert all(
        matched(name if name.startswith(("daro/responses/", "daro/prompts/")) else f"actor/{name}") for name in names
    )


def test_every_pattern_of_daro_is_of_a_metric_that_is_logged():
    """Else a renamed metric would leave an empty chart."""
    logged = metrics_of([1, 0, 0, 0, 1, 1, 1, 0], [2, 4, 4, 6, 1, 2, 3, 8], losses=[0.2, 0.0, -0.1])
    names = {f"actor/{name}" for name in logged.keys() | SMALL | FAULTS} | SMALL
    daros = [pattern for pattern in PATTERNS if "daro/" in pattern]
    assert len(daros) > 10 and all(any(re.fullmatch(pattern, name) for name in names) for pattern in daros)


def test_tensorboard_reads_the_layout_and_there_is_one(tmp_path, capsys):
    for _ in range(2):
        assert main(["layout", "tensorboard", str(tmp_path)]) == 0
    assert len(list((tmp_path / "layout").iterdir())) == 1
    events = EventAccumulator(str(tmp_path / "layout"))
    events.Reload()
    (event,) = events.Tensors("custom_scalars__config__")
    layout = Layout.FromString(event.tensor_proto.string_val[0])
    read = {category.title: [chart.title for chart in category.chart] for category in layout.category}
    assert read == {section: [chart.title for chart in charts] for section, charts in SECTIONS.items()}
    assert list(layout.category[0].chart[1].multiline.tag) == ["^actor/daro/weights/(min|max)$"]


def test_a_folder_that_is_not_there_and_a_package_that_is_missing(tmp_path, capsys, monkeypatch):
    assert main(["layout", "tensorboard", str(tmp_path / "no")]) == 2
    assert "expected a directory. Fix: name the folder" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    with pytest.raises(DaroConfigError, match="expected wandb-workspaces. Fix: pip install wandb-workspaces"):
        workspace("team", "daro")
