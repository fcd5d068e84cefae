"""Model and data before a start: what is there and would fail, or be scored otherwise, later."""

import pyarrow.parquet as parquet
import pytest

from daro_verl.errors import DaroConfigError
from daro_verl.toolkit.recipes.setting_rules import KEY
from tests.platform.tiny_model import build
from tests.toolkit.evaluation.files import Question, write
from tests.toolkit.recipes.scripts import SCRIPTS

QUESTIONS = [Question("aime24", "How much is 1+1?", "2", 32), Question("math500", "Much longer: " + "1+" * 300, "1")]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return build(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def refused(dry_run):
    """``refused(*arguments, NAME=value)``: what a dry run says of it; of the files only those named are here."""

    def refused(*arguments: str, **variables: object) -> str:
        small = {"GPUS": "1", "TP": "1", **{name: str(value) for name, value in variables.items()}}
        with pytest.raises(DaroConfigError) as error:
            dry_run(SCRIPTS[0], *arguments, **small)
        return str(error.value)

    return refused


@pytest.mark.parametrize("name", ["TRAIN_FILES", "VAL_FILES"])
def test_a_file_without_rows(refused, tmp_path, name):
    table = parquet.read_table(write(tmp_path / "full.parquet", QUESTIONS)).slice(0, 0)
    parquet.write_table(table, tmp_path / "test.parquet")
    message = refused(**{name: tmp_path / "test.parquet"})
    assert f"{KEY[name]}: got '{tmp_path / 'test.parquet'} without rows'" in message


def test_benchmarks_without_their_number_of_responses(refused, tmp_path):
    table = parquet.read_table(write(tmp_path / "full.parquet", QUESTIONS)).drop_columns(["__rollout_n__"])
    parquet.write_table(table, tmp_path / "test.parquet")
    message = refused(VAL_FILES=tmp_path / "test.parquet")
    assert "without __rollout_n__', expected the number of responses in each row: 32 for AIME" in message


def test_validation_prompts_that_are_no_messages(refused, model, tmp_path):
    table = parquet.read_table(write(tmp_path / "full.parquet", QUESTIONS)).drop_columns(["prompt"])
    parquet.write_table(table.append_column("prompt", [[1, 2]]), tmp_path / "test.parquet")
    message = refused(MODEL=model, VAL_FILES=tmp_path / "test.parquet")
    assert "expected prompts that the chat template renders" in message


def test_weights_that_are_not_there(refused, model, tmp_path):
    copy = tmp_path / "model"
    copy.mkdir()
    for file in model.iterdir():
        target = "gone" if file.suffix == ".safetensors" else file
        (copy / file.name).symlink_to(target)
    assert f"{KEY['MODEL']}: {copy}: got 'no weights', expected all files that the index names" in refused(MODEL=copy)


def test_validation_prompts_that_verl_would_leave_out(refused, model, tmp_path):
    """The second prompt has 613 bytes, which are tokens of this model, and the template's."""
    file = write(tmp_path / "test.parquet", QUESTIONS)
    message = refused("data.max_prompt_length=512", "data.max_response_length=512", MODEL=model, VAL_FILES=file)
    assert "with 1 of 2 prompts that are longer (row 1 of math500: 6" in message
    assert (
        "expected prompts of at most 512 tokens, data.max_prompt_length. Fix: set data.max_prompt_length=6" in message
    )
    assert "prompts that are longer" not in refused("data.train_batch_size=3", MODEL=model, VAL_FILES=file)
