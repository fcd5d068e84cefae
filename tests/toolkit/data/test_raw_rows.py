"""Rows of the hub: how it is asked, and what happens when it does not answer."""

import dataclasses

import datasets
import pytest

from daro_verl.errors import DaroDataError
from daro_verl.toolkit.data.raw_rows import num_rows, raw_rows
from daro_verl.toolkit.data.sources import SOURCES, TESTS, TRAINING
from tests.toolkit.data import raw


@pytest.fixture
def hub(monkeypatch):
    """Three rows in each split; the calls are returned."""
    calls = []

    def load_dataset(name, config=None, *, split, streaming, revision):
        assert revision is None
        calls.append((name, config, split, streaming))
        return ({"row": f"{split}{number}"} for number in range(3))

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return calls


CALLS = {
    "openr1": ("Elliott/Openr1-Math-46k-8192", None, "train", True),
    "dapo": ("open-r1/DAPO-Math-17k-Processed", "all", "train", True),
    "math": ("DigitalLearningGmbH/MATH-lighteval", None, "train", True),
    "aime24": ("HuggingFaceH4/aime_2024", None, "train", True),
    "aime25": ("math-ai/aime25", None, "test", True),
    "amc": ("AI-MO/aimo-validation-amc", None, "train", True),
    "math500": ("HuggingFaceH4/MATH-500", None, "test", True),
    "minerva": ("math-ai/minervamath", None, "test", True),
    "olympiadbench": ("Hothan/OlympiadBench", "OE_TO_maths_en_COMP", "train", True),
    "gsm8k": ("openai/gsm8k", "main", "test", True),
}


@pytest.mark.parametrize(("name", "call"), CALLS.items(), ids=CALLS)
def test_where_each_source_is_on_the_hub(hub, name, call):
    assert len(list(raw_rows(SOURCES[name], None))) == 3
    assert hub == [call]


def test_no_source_is_without_such_a_case():
    assert set(CALLS) == set(TRAINING) | set(TESTS) == set(SOURCES)


@pytest.mark.parametrize("skip", range(7))
def test_skipping_goes_over_the_ends_of_splits(hub, skip):
    source = dataclasses.replace(SOURCES["math"], splits=("train", "test"))
    every = [f"{split}{number}" for split in ("train", "test") for number in range(3)]
    assert [row["row"] for row in raw_rows(source, None, skip)] == every[skip:]


@pytest.mark.parametrize("error", [ConnectionError("no network"), ValueError("no such config")], ids=repr)
def test_a_hub_that_does_not_answer(monkeypatch, error):
    def load_dataset(*arguments, **settings):
        raise error

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(DaroDataError, match=r"math from DigitalLearningGmbH/MATH-lighteval.*--local math=PATH"):
        list(raw_rows(SOURCES["math"], None))


def test_the_bar_knows_the_size_of_a_published_benchmark():
    assert num_rows(SOURCES["amc"], None) == 83
    assert num_rows(SOURCES["openr1"], None) is None


def test_an_empty_file_beside_others_is_passed_over(tmp_path):
    raw.write_jsonl(tmp_path / "b.jsonl", [raw.math("Find $x$.", r"\boxed{1}")])
    (tmp_path / "a.jsonl").touch()
    assert len(list(raw_rows(SOURCES["math"], tmp_path))) == 1


def test_a_number_that_no_column_can_hold(tmp_path):
    (tmp_path / "math.csv").write_text("problem,answer\nHow many?," + "9" * 30 + "\n")
    with pytest.raises(DaroDataError, match="math from .*math.csv.*expected readable rows"):
        list(raw_rows(SOURCES["math"], tmp_path / "math.csv"))
