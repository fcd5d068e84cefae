"""Files that are whole or not there."""

import os

import pytest

from daro_verl import atomic
from daro_verl.atomic import write_atomically


def test_text_and_bytes_replace_what_is_there(tmp_path):
    path = tmp_path / "file.json"
    path.write_text("old")
    write_atomically(path, "mü")
    assert path.read_bytes() == "mü".encode()
    write_atomically(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_the_old_content_and_the_next_call_succeeds(tmp_path, monkeypatch, step):
    path = tmp_path / "file.json"
    write_atomically(path, "old")

    def fails(*_):
        raise OSError("no space left")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space"):
        patch.setattr(os, step, fails)
        write_atomically(path, "new")
    assert path.read_text() == "old"
    write_atomically(path, "newer")
    assert path.read_text() == "newer" and list(tmp_path.iterdir()) == [path]


def test_content_and_name_are_synced_in_this_order(tmp_path, monkeypatch):
    """Another order could leave a name without its content after a power failure."""
    order = []
    monkeypatch.setattr(atomic, "_sync", lambda path: order.append(path.name))
    monkeypatch.setattr(os, "replace", lambda source, target: order.append("replace"))
    write_atomically(tmp_path / "file", "text")
    assert order == ["file.partial", "replace", tmp_path.name]
