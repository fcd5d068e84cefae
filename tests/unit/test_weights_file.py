"""The file of difficulty weights: exact, atomic, and clear about what is wrong with it."""

import pytest
import torch

from daro_verl.errors import DaroCheckpointError
from daro_verl.workers.difficulty_weights import DifficultyWeights
from daro_verl.workers.weights_file import FILE_NAME, read_weights, write_weights


def trained() -> DifficultyWeights:
    weights, generator = DifficultyWeights(8), torch.Generator().manual_seed(0)
    for _ in range(9):
        weights.step(torch.randn(7, generator=generator), torch.rand(7, generator=generator) < 0.5)
    return weights


def test_reads_back_to_the_last_bit(tmp_path):
    weights, again = trained(), DifficultyWeights(8)
    write_weights(tmp_path / "actor", weights.state_dict())
    again.load_state_dict(read_weights(tmp_path / "actor"))
    for name, value in weights.state_dict().items():
        got = again.state_dict()[name]
        assert torch.equal(got, value) if torch.is_tensor(value) else got == value, name
    assert [path.name for path in (tmp_path / "actor").iterdir()] == [FILE_NAME]


def test_no_file_is_none(tmp_path):
    assert read_weights(tmp_path) is None


@pytest.mark.parametrize("content", ["", "[1, 2]", '{"a": 1}', "\x00\x01"], ids=["empty", "list", "foreign", "binary"])
def test_a_foreign_file_is_refused_with_its_path(tmp_path, content):
    (tmp_path / FILE_NAME).write_text(content)
    with pytest.raises(DaroCheckpointError, match=FILE_NAME):
        read_weights(tmp_path)


def test_a_truncated_file_is_refused(tmp_path):
    path = write_weights(tmp_path, trained().state_dict())
    path.write_text(path.read_text()[:-40])
    with pytest.raises(DaroCheckpointError, match="restore it, or delete it"):
        read_weights(tmp_path)
