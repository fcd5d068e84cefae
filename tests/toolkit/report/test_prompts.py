"""The figure of the prompts: from checkpoints and from logs, from either alone, and from neither."""

import numpy as np
import pytest

from daro_verl.prompts.job_memory import JobMemory
from daro_verl.toolkit.report.figures import prompts
from daro_verl.toolkit.report.theme import THEMES
from tests.toolkit.report.logs import metrics, read, write_json_lines


def write_checkpoints(folder):
    """Twenty prompts. At step 5 prompts 0 to 9 have 0 of 8 and the others 4 of 8, at step 10 these 8 of 8 twice."""
    known = JobMemory()
    ids, full = np.arange(20), np.full(20, 8.0)
    for step, successes in ((5, np.where(ids < 10, 0.0, 4.0)), (10, np.where(ids < 10, 0.0, 8.0))):
        known.memory.observe(ids, ["math"] * 20, successes, full, step)
        checkpoint = folder / "checkpoints" / f"global_step_{step}"
        checkpoint.mkdir(parents=True)
        known.save(checkpoint, step)


def write_log(folder):
    own = {"informative": 0.5, "informative_predicted": 0.6, "brier": 0.25}
    tokens = {f"daro/tokens/{kind}_so_far": 100.0 for kind in ("generated", "trained", "discarded", "not_generated")}
    rows = {step: metrics(step) | {f"daro/prompts/{k}": v for k, v in own.items()} | tokens for step in range(1, 11)}
    write_json_lines(folder / "a.jsonl", rows)


def test_both_panels_and_their_tables(tmp_path):
    write_checkpoints(tmp_path)
    write_log(tmp_path)
    (section,) = prompts.sections([read(tmp_path)], alpha=0.1)
    kinds, numbers = (table.data for table in section.tables)
    assert list(kinds.columns) == [5, 10]
    assert kinds.loc["never solved"].tolist() == [10, 10]
    assert kinds.sum().tolist() == [20, 20] and "not seen" not in kinds.index
    assert kinds.loc["0.5 to 0.75", 5] + kinds.loc["0.25 to 0.5", 5] == 10
    assert numbers.loc["informative, predicted", "last tenth"] == pytest.approx(0.6)
    assert numbers.loc["tokens not generated", "at the end"] == 100
    for theme in THEMES:
        areas, lines = section.draw(theme).axes
        top = max(path.vertices[:, 1].max() for area in areas.collections for path in area.get_paths())
        assert top == 20
        assert [list(line.get_ydata()) for line in lines.lines] == [[0.5] * 10, [0.6] * 10]
    assert "never solved 10" in section.alt and section.missing == ()


@pytest.mark.parametrize(
    ("write", "missing"), [(write_checkpoints, "daro/prompts"), (write_log, "daro_prompts.parquet")]
)
def test_one_of_the_two(write, missing, tmp_path):
    write(tmp_path)
    (section,) = prompts.sections([read(tmp_path)], alpha=0.1)
    assert [entry.metric[: len(missing)] for entry in section.missing] == [missing]
    assert len(section.draw(THEMES[0]).axes) == 1


def test_neither(tmp_path):
    write_json_lines(tmp_path / "a.jsonl", {1: metrics(1)})
    (section,) = prompts.sections([read(tmp_path)], alpha=0.1)
    assert section.draw is None and section.missing[0].metric == "daro/prompts/informative"


def test_a_broken_memory_is_named_and_the_others_are_drawn(tmp_path):
    write_checkpoints(tmp_path)
    (tmp_path / "checkpoints" / "global_step_5" / "daro_prompts.parquet").write_bytes(b"cut off")
    run = read(tmp_path)
    assert any("global_step_5" in warning for warning in run.warnings)
    (section,) = prompts.sections([run], alpha=0.1)
    assert list(section.tables[0].data.columns) == [10]
    assert section.draw(THEMES[0]).axes
