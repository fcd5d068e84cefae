"""The tracker that verl reads on a restart: repaired where a kill broke it, else not touched."""

import os
import zipfile

import pytest
from verl.utils.checkpoint.checkpoint_manager import find_latest_ckpt_path

from daro_verl.errors import DaroCheckpointError
from daro_verl.job import prepare_job
from daro_verl.resume import TRACKER, UNFINISHED, WEIGHTS, newest_complete, repair_tracker
from daro_verl.workers.saved_state import FILE_NAME, UNFINISHED_NAME
from tests.unit.jobs import compose_job


def save(folder, step, file=WEIGHTS, data=True):
    """A checkpoint with one of DARO's files, or with none of them (``file=None``)."""
    actor = folder / f"global_step_{step}" / "actor"
    actor.mkdir(parents=True)
    (actor / "ckpt_contents.json").write_text("{}")
    if file:
        (actor / file).write_text("{}")
    if data:
        with zipfile.ZipFile(actor.parent / "data.pt", "w") as archive:
            archive.writestr("data", "")


def everything(folder) -> dict:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("content", [b"", b"\0\0", b"\xff\xfe", b"six"], ids=["empty", "zeros", "bytes", "word"])
def test_an_unreadable_tracker_names_the_newest_complete_checkpoint(tmp_path, caplog, content):
    for step in (3, 6, 12):  # 12 after 6 in numbers, before it in letters
        save(tmp_path, step)
    save(tmp_path, 15, UNFINISHED)
    (tmp_path / TRACKER).write_bytes(content)
    with pytest.raises(ValueError):
        find_latest_ckpt_path(str(tmp_path))  # what verl would do; once it does not, the repair is not needed
    before = everything(tmp_path)
    repair_tracker(tmp_path)
    assert find_latest_ckpt_path(str(tmp_path)) == str(tmp_path / "global_step_12")
    assert everything(tmp_path) == before | {tmp_path / TRACKER: b"12"}
    assert "REPAIRED. The job resumes from step 12" in caplog.text


def test_a_tracker_in_order_is_not_touched(tmp_path, caplog):
    save(tmp_path, 3)
    save(tmp_path, 6)  # complete, but verl did not get to name it
    (tmp_path / TRACKER).write_text("3\n")
    os.utime(tmp_path / TRACKER, (1, 1))
    repair_tracker(tmp_path)
    assert (tmp_path / TRACKER).read_text() == "3\n" and (tmp_path / TRACKER).stat().st_mtime == 1
    assert not caplog.records


@pytest.mark.parametrize("cut", ["no_folder", "no_actor", "unfinished"])
def test_a_tracker_that_names_a_cut_off_checkpoint_goes_back_to_a_complete_one(tmp_path, caplog, cut):
    save(tmp_path, 3)
    if cut == "no_actor":
        (tmp_path / "global_step_6").mkdir()
    if cut == "unfinished":
        save(tmp_path, 6, UNFINISHED)
    (tmp_path / TRACKER).write_text("6")
    repair_tracker(tmp_path)
    assert (tmp_path / TRACKER).read_text() == "3"
    assert "names step 6, whose save was cut off" in caplog.text


def test_complete_needs_the_weights_and_a_whole_data_file(tmp_path):
    save(tmp_path, 3)
    save(tmp_path, 6, data=False)
    save(tmp_path, 9)
    (tmp_path / "global_step_9" / "data.pt").write_bytes(b"PK\3\4 the rest was not written")
    save(tmp_path, 12, UNFINISHED)
    save(tmp_path, 15, file=None)
    (tmp_path / "global_step_18").write_text("not a folder")
    assert newest_complete(tmp_path) == 3


def test_nothing_complete_starts_from_scratch_and_keeps_everything(tmp_path, caplog):
    save(tmp_path, 3, UNFINISHED)
    (tmp_path / TRACKER).write_text("")
    before = everything(tmp_path)
    repair_tracker(tmp_path)
    assert find_latest_ckpt_path(str(tmp_path)) is None
    assert len(everything(tmp_path)) == len(before)
    assert "FROM SCRATCH" in caplog.text


def test_a_cut_off_checkpoint_is_left_to_the_load_where_nothing_is_better(tmp_path):
    save(tmp_path, 3, UNFINISHED)
    (tmp_path / TRACKER).write_text("3")
    repair_tracker(tmp_path)
    assert (tmp_path / TRACKER).read_text() == "3"


def test_checkpoints_of_a_grpo_job_are_left_alone(tmp_path, caplog):
    save(tmp_path, 3)
    save(tmp_path, 6, file=None)
    (tmp_path / TRACKER).write_text("6")
    repair_tracker(tmp_path)
    assert (tmp_path / TRACKER).read_text() == "6" and not caplog.records
    (tmp_path / TRACKER).write_text("")
    with pytest.raises(DaroCheckpointError, match="write 6 into the tracker"):
        repair_tracker(tmp_path)
    assert (tmp_path / TRACKER).read_text() == ""


def test_no_folder_and_no_tracker_are_fine(tmp_path):
    repair_tracker(tmp_path / "none")
    save(tmp_path, 3)
    repair_tracker(tmp_path)
    assert not (tmp_path / TRACKER).exists()


@pytest.mark.parametrize(
    ("overrides", "repaired"),
    [
        ([], True),
        (["trainer.resume_mode=disable"], False),
        (["algorithm.adv_estimator=grpo"], False),
        (["trainer.default_local_dir=null"], False),
    ],
    ids=["daro", "no_resume", "grpo", "no_folder"],
)
def test_a_daro_job_that_may_resume_is_repaired_before_it_starts(tmp_path, monkeypatch, overrides, repaired):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "job", 3)
    (tmp_path / "job" / TRACKER).write_text("")
    prepare_job(compose_job("trainer.default_local_dir=job", *overrides))
    assert (tmp_path / "job" / TRACKER).read_text() == ("3" if repaired else "")


def test_the_names_are_those_that_the_worker_writes():
    assert (WEIGHTS, UNFINISHED) == (FILE_NAME, UNFINISHED_NAME)
