"""Which commit of the hub's data set a file is from: recorded, and the same after an interruption."""

import json
import signal
from types import SimpleNamespace

import datasets
import huggingface_hub
import pyarrow.parquet as pq
import pytest

from daro_verl.cli import main
from daro_verl.toolkit.data import display
from daro_verl.toolkit.data.parquet_file import footer, report_path
from tests.toolkit.data import raw


class Hub:
    """Rows of the commit that is asked for; ``head`` is the newest. ``fail``: nobody answers."""

    def __init__(self) -> None:
        self.head, self.fail, self.interrupt, self.read = "aaa", False, False, []

    def dataset_info(self, hub_id, revision=None):
        if self.fail:
            raise ConnectionError("no network")
        return SimpleNamespace(sha={None: self.head}.get(revision, revision))

    def load_dataset(self, name, config=None, *, split, streaming, revision):
        self.read.append(revision)
        for number in range(5):
            yield raw.math(f"Problem {number} of {revision}: find it.", rf"\boxed{{{number}}}")
            if self.interrupt:
                raise KeyboardInterrupt


@pytest.fixture
def hub(monkeypatch):
    hub = Hub()
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: hub)
    monkeypatch.setattr(datasets, "load_dataset", hub.load_dataset)
    monkeypatch.setattr(display, "check_gold", lambda text: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    return hub


@pytest.fixture
def train(tmp_path):
    arguments = ["data", "train", "math", "--no-test", "--out", str(tmp_path / "train.parquet")]
    return lambda *more: main([*arguments, *more])


def test_the_commit_is_in_the_report_and_in_the_file(hub, train, tmp_path, capsys):
    assert train() == 0
    assert hub.read == ["aaa"]  # pinned, not whatever the hub shows by then
    assert "math from the hub, commit aaa" in capsys.readouterr().out
    assert json.loads(report_path(tmp_path / "train.parquet").read_text())["revisions"] == {"math": "aaa"}
    assert footer(tmp_path / "train.parquet")["revisions"] == {"math": "aaa"}
    hub.fail = True
    assert train() == 0 and "there already, with 5 rows" in capsys.readouterr().out  # without the network


def test_interrupted_work_goes_on_with_the_commit_that_it_began_with(hub, train, tmp_path):
    hub.interrupt = True
    assert train() == 130
    hub.interrupt, hub.head = False, "bbb"
    assert train() == 0
    assert hub.read == ["aaa", "aaa"] and footer(tmp_path / "train.parquet")["revisions"] == {"math": "aaa"}


def test_work_of_another_revision_is_not_gone_on_with_nor_is_its_file(hub, train, tmp_path, capsys):
    hub.interrupt = True
    assert train("--revision", "math=v1") == 130
    hub.interrupt = False
    assert train("--revision", "math=v2") == 0
    prompts = [row["prompt"][0]["content"] for row in pq.read_table(tmp_path / "train.parquet").to_pylist()]
    assert len(prompts) == 5 and all("of v2" in prompt for prompt in prompts)
    for other in (["--revision", "math=v1"], []):
        assert train(*other) == 2 and "a file of other arguments or inputs" in capsys.readouterr().err


def test_a_hub_that_does_not_say_and_revisions_of_what_is_not_there(hub, train, capsys):
    assert train("--revision", "dapo=v1") == 2 and "--revision: got ['dapo']" in capsys.readouterr().err
    assert train("--revision", "math=v1", "--local", f"math={__file__}") == 2
    assert "--revision: got ['math']" in capsys.readouterr().err
    hub.fail = True
    assert train() == 2
    assert "math: DigitalLearningGmbH/MATH-lighteval on the hub, revision not given: got" in capsys.readouterr().err
