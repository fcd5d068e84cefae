"""Model and data before a start: what is there and would fail, or be scored otherwise, later."""

import pyarrow.parquet as parquet
import pytest

from daro_verl.toolkit.recipes.__main__ import plan
from daro_verl.toolkit.recipes.errors import DaroRecipeError
from daro_verl.toolkit.recipes.knobs import read_knobs
from tests.platform.tiny_model import build
from tests.toolkit.evaluation.files import Question, write
from tests.toolkit.recipes.scripts import SCRIPTS

QUESTIONS = [Question("aime24", "How much is 1+1?", "2", 32), Question("math500", "Much longer: " + "1+" * 300, "1")]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return build(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def refused(knobs_of):
    """``refused(NAME=value)``: what a dry run says of it; of the three files only those named are here."""

    def refused(**knobs: object) -> str:
        small = {"GPUS": "1", "ROLLOUT_TP": "1", "TP": "1", **{name: str(value) for name, value in knobs.items()}}
        with pytest.raises(DaroRecipeError) as error:
            plan(read_knobs({**knobs_of(SCRIPTS[0]), **small}), [])
        return str(error.value)

    return refused


@pytest.mark.parametrize("knob", ["TRAIN_FILES", "VAL_FILES"])
def test_a_file_without_rows(refused, tmp_path, knob):
    table = parquet.read_table(write(tmp_path / "full.parquet", QUESTIONS)).slice(0, 0)
    parquet.write_table(table, tmp_path / "test.parquet")
    assert f"{knob}: got '{tmp_path / 'test.parquet'} without rows'" in refused(**{knob: tmp_path / "test.parquet"})


def test_benchmarks_without_their_number_of_responses(refused, tmp_path):
    table = parquet.read_table(write(tmp_path / "full.parquet", QUESTIONS)).drop_columns(["__rollout_n__"])
    parquet.write_table(table, tmp_path / "test.parquet")
    message = refused(VAL_FILES=tmp_path / "test.parquet")
    assert "without __rollout_n__', expected the number of responses in each row: 32 for AIME" in message


def test_validation_prompts_that_are_no_messages(refused, model, tmp_path):
    table = parquet.read_table(write(tmp_path / "full.parquet", QUESTIONS)).drop_columns(["prompt"])
    parquet.write_table(table.append_column("prompt", [[1, 2]]), tmp_path / "test.parquet")
    message = refused(MODEL=model, VAL_FILES=tmp_path / "test.parquet")
    assert "expected prompts that MODEL's chat template renders" in message


def test_weights_that_are_not_there(refused, model, tmp_path):
    copy = tmp_path / "model"
    copy.mkdir()
    for file in model.iterdir():
        target = "gone" if file.suffix == ".safetensors" else file
        (copy / file.name).symlink_to(target)
    assert f"MODEL: {copy}: got 'no weights', expected all files that the index names" in refused(MODEL=copy)


def test_validation_prompts_that_verl_would_leave_out(refused, model, tmp_path, knobs_of):
    """The second prompt has 613 bytes, which are tokens of this model, and the template's."""
    file = write(tmp_path / "test.parquet", QUESTIONS)
    message = refused(MODEL=model, VAL_FILES=file, MAX_PROMPT="512", MAX_RESPONSE="512", OVERLONG_LEN="8")
    assert "with 1 of 2 prompts that are longer (row 1 of math500: 6" in message
    assert "expected prompts of at most MAX_PROMPT = 512 tokens. Fix: set MAX_PROMPT=6" in message
    assert "prompts that are longer" not in refused(MODEL=model, VAL_FILES=file, BATCH="3")
