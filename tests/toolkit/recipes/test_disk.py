"""What checkpoints take, in closed form, and what is refused before a start."""

import os
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from daro_verl.cli import main
from daro_verl.errors import DaroConfigError
from daro_verl.toolkit.models.shape import Shape
from daro_verl.toolkit.recipes import disk
from daro_verl.toolkit.recipes.disk import checkpoints_of, disk_problems, table_size
from tests.toolkit.recipes.scripts import CONFIG, SCRIPTS, settings_of

LLAMA = Shape(**settings_of(CONFIG / "base_model/llama3.1_8b.yaml")["recipe.published"][0])


def config(place, every=20, keep=2, steps=500):
    trainer = {"save_freq": every, "max_actor_ckpt_to_keep": keep, "total_training_steps": steps}
    return OmegaConf.create({"trainer": {**trainer, "default_local_dir": str(place)}})


def room(monkeypatch, size):
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda place: SimpleNamespace(free=size))


@pytest.mark.parametrize(
    ("every", "keep", "steps", "number"),
    [
        (20, 2, 500, 2),
        (20, 1, 500, 2),  # the old one goes when the new one is whole
        (20, 5, 500, 5),
        (20, None, 500, 25),
        (20, None, 510, 26),  # and after the last step
        (500, 2, 500, 1),
        (-1, 2, 500, 0),
    ],
)
def test_checkpoints_at_the_same_time(tmp_path, every, keep, steps, number):
    found = checkpoints_of(config(tmp_path, every, keep, steps), LLAMA)
    assert found.number == number and found.total == number * found.size


def test_a_checkpoint_of_llama():
    """8.03e9 parameters: 2 bytes in Hugging Face's format, 12 of the optimizer: 14 x 8.03 = 112.4 GB."""
    found = checkpoints_of(config("/"), LLAMA)
    assert found.size == pytest.approx(112.4e9, rel=0.005) and found.weights == pytest.approx(16.06e9, rel=0.005)


def test_a_resumed_run_needs_room_beside_its_checkpoints(tmp_path, monkeypatch):
    """verl keeps no list of checkpoints over a resume, and removes none of an earlier start."""
    found = checkpoints_of(config(tmp_path), LLAMA)
    room(monkeypatch, found.total - 100)
    (problem,) = disk_problems(config(tmp_path), found)
    assert problem.startswith("disk: got '225 GB for") and "225 GB (an estimate): 2 checkpoints of 112.4 GB" in problem
    for step in (80, 100, 120):  # the last one is torn: its save died on a full disk
        (tmp_path / f"global_step_{step}").mkdir()
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("100")
    (problem,) = disk_problems(config(tmp_path), found)
    assert problem.endswith("or remove the checkpoints but global_step_100: verl leaves those of earlier starts")
    room(monkeypatch, found.size)
    assert disk_problems(config(tmp_path, steps=120), found) == []  # one is left to write
    room(monkeypatch, 0)
    assert disk_problems(config(tmp_path, steps=100), found) == []  # finished


def test_a_real_run_without_room_is_refused(dry_run, monkeypatch):
    room(monkeypatch, 40e9)
    dry_run(SCRIPTS[0])  # 2 x 21.6 GB; a dry run may be on another machine
    with pytest.raises(
        DaroConfigError, match=r"disk: got '40 GB for .*, expected 43 GB \(an estimate\): 2 checkpoints"
    ):
        dry_run(SCRIPTS[0], DRY_RUN="0")


def test_the_table_needs_all_weights_and_one_training(tmp_path, monkeypatch, capsys):
    """Six runs of 3.1 GB and six of 16.1 GB, and what Llama's training has beside its weights: 2 x 112.4 - 16.1."""
    small, large = (disk.Checkpoints(14 * size, 2 * size, 2) for size in (1.54e9, 8.03e9))
    assert table_size([small] * 6 + [large] * 6) == 6 * 3.08e9 + 6 * 16.06e9 + 28 * 8.03e9 - 16.06e9
    command = ["table-disk", "--config-dir", str(CONFIG), "--out", str(tmp_path), "qwen2.5_math_1.5b", "llama3.1_8b"]
    room(monkeypatch, 1e12)
    assert main(command) == 0
    assert "disk: about 324 GB at most" in capsys.readouterr().out
    room(monkeypatch, 3e11)
    assert main(command) == 2
    assert "disk: got '300 GB for" in capsys.readouterr().err
    for name in ("mine-grpo-seed42", "mine-grpo-seed41"):  # of this table, and of another one
        (tmp_path / name).mkdir()
        os.truncate(os.open(tmp_path / name / "weights", os.O_CREAT | os.O_RDWR), 25 * 10**9)  # without blocks
    assert main([*command, "--run", "mine-*-seed42"]) == 0
    assert main([*command, "--run", "mine-*-seed43"]) == 2
