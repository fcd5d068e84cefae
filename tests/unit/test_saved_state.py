"""The file of difficulty weights: exact, atomic, and clear about what is wrong with it."""

from pathlib import Path

import pytest
import torch

from daro_verl.errors import DaroCheckpointError
from daro_verl.workers.difficulty_weights import DifficultyWeights
from daro_verl.workers.saved_state import FILE_NAME, UNFINISHED_NAME, begin, finish, read


def trained() -> DifficultyWeights:
    weights, generator = DifficultyWeights(8, {"weighting": "paper"}), torch.Generator().manual_seed(0)
    for _ in range(9):
        weights.step(torch.randn(7, generator=generator), torch.rand(7, generator=generator) < 0.5)
    return weights


def write_weights(folder: Path, state: dict) -> Path:
    begin(folder, state)
    return finish(folder)


def test_reads_back_to_the_last_bit(tmp_path):
    weights, again = trained(), DifficultyWeights(8, {"weighting": "paper"})
    write_weights(tmp_path / "actor", weights.state_dict())
    again.load_state_dict(read(tmp_path / "actor"))
    for name, value in weights.state_dict().items():
        got = again.state_dict()[name]
        assert torch.equal(got, value) if torch.is_tensor(value) else got == value, name
    assert [path.name for path in (tmp_path / "actor").iterdir()] == [FILE_NAME]


def test_no_file_is_none(tmp_path):
    assert read(tmp_path) is None


@pytest.mark.parametrize("content", ["", "[1, 2]", '{"a": 1}', "\x00\x01"], ids=["empty", "list", "foreign", "binary"])
def test_a_foreign_file_is_refused_with_its_path(tmp_path, content):
    (tmp_path / FILE_NAME).write_text(content)
    with pytest.raises(DaroCheckpointError, match=FILE_NAME):
        read(tmp_path)


def test_a_truncated_file_is_refused(tmp_path):
    path = write_weights(tmp_path, trained().state_dict())
    path.write_text(path.read_text()[:-40])
    with pytest.raises(DaroCheckpointError, match="restore the file, or delete it"):
        read(tmp_path)


def test_an_unfinished_checkpoint_is_refused(tmp_path):
    begin(tmp_path, trained().state_dict())
    with pytest.raises(DaroCheckpointError, match="ended while it wrote this checkpoint.*resume_from_path"):
        read(tmp_path)


def test_writing_over_a_checkpoint_marks_it_unfinished_until_the_end(tmp_path):
    old, new = DifficultyWeights(8, {"weighting": "paper"}).state_dict(), trained().state_dict()
    write_weights(tmp_path, old)
    begin(tmp_path, new)  # from here on verl writes the model over the old one
    assert sorted(path.name for path in tmp_path.iterdir()) == [UNFINISHED_NAME]
    finish(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
    assert torch.equal(read(tmp_path)["log_weights"], new["log_weights"])


def test_a_file_of_another_step_is_refused(tmp_path):
    folder = tmp_path / "global_step_20" / "actor"
    write_weights(folder, {**trained().state_dict(), "global_step": 10})
    with pytest.raises(DaroCheckpointError, match="weights of step 10.*expected the .* of global_step_20"):
        read(folder)
    write_weights(folder, {**trained().state_dict(), "global_step": 20})
    assert read(folder)["global_step"] == 20
