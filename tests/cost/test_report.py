"""The report: every part in it, "not run" where there is no figure, and nothing lost between parts."""

import json

import pytest

from benchmarks.cost import communication, report, scale, step
from benchmarks.cost.parts import PARTS, module_of


def result(rows: list[dict]) -> dict:
    fixed = {"commit": "c", "machine": "m", "gpu": None, "load average": [1.0, 2.0], "not run": "no GPU here"}
    return {"versions": {"verl": "0.9.1"}, "rows": rows, **fixed}


def test_a_part_that_was_not_run_says_so(tmp_path):
    (tmp_path / "gpu.json").write_text(json.dumps(result([])))
    row = {"call": "in V1", "ratio": 0.5, "quartiles": [0.4, 0.75], "daro ms": 1.25}
    (tmp_path / "advantage.json").write_text(json.dumps(result([row])))
    (tmp_path / "advantage-before.json").write_text(json.dumps(result([{"ratio": 1.5}])))
    report.write(tmp_path, tmp_path / "cost.md")
    text = (tmp_path / "cost.md").read_text()
    assert "not run: no GPU here" in text and "| 0.5 | 0.4, 0.75 | 1.25 |" in text
    assert "## Advantage estimator (before)" in text and "--label before" in text
    assert "| estimator, in V1 / grpo_vectorized, largest | 1 | 0.5 (0.4, 0.75) | met |" in text
    assert "| estimator, plain / grpo_vectorized, largest | 1 | not run | not run |" in text
    assert text.count("## ") == len(PARTS) + 1


@pytest.mark.parametrize("part", PARTS)
def test_every_part_has_aims_without_figures(part):
    aims = module_of(part).aims([])
    assert aims and all(aim.verdict == "not run" for aim in aims)


def record(method: str, rank: int, number: int, sizes: list[int], reads: int) -> dict:
    own = {"collectives": {"allreduce": sizes}, "reads": {"_local_scalar_dense": reads}}
    return {"method": method, "rank": rank, "micro-batches": number, **own}


def test_what_daro_adds_is_that_of_the_rank_that_adds_most():
    records = [record("grpo", rank, n, [8] * n, 5 * n) for rank in (0, 1) for n in (1, 2)]
    records += [
        record("daro", rank, n, [8] * n + [72] * (2 - rank), 5 * n + 3 + rank) for rank in (0, 1) for n in (1, 2)
    ]
    rows = [{"layout": "x", "G": 8, **row} for row in communication.added(records)]
    assert [(row["all-reduces"], row["bytes"], row["reads of a value"]) for row in rows] == [(2, 144, 4)] * 2
    aims = {aim.what: aim.measured for aim in communication.aims(rows)}
    assert aims["reads of a value more for a micro-batch more"] == 0
    assert aims["bytes communicated per bin"] == 16  # 144 bytes in 9 bins


def test_more_bins_are_no_growth_with_the_micro_batches():
    row = dict.fromkeys((*communication.KINDS, "other collectives"), 1)
    rows = [{"layout": "x", "G": g, "bytes": 8 * g, "reads of a value": 10 * g, **row} for g in (4, 4, 16)]
    assert communication.growth(rows, "reads of a value") == 0
    rows.append(rows[0] | {"reads of a value": 41})
    assert communication.growth(rows, "reads of a value") == 1


def test_the_controlled_rows_take_out_generation_and_the_length_of_the_forward_pass():
    def steps(gen: float, forward: float, update: float) -> list[dict[str, float]]:
        rest = 1.0
        seconds = {"gen": gen, "old_log_prob": forward, "update_actor": update, "step": gen + forward + update + rest}
        return [dict.fromkeys(step.PHASES, 1.0) | seconds] * 3

    # An update of 3.03 s after a forward pass of 1.5 s is one of 2.02 s after GRPO's 1 s; a step 4 + 1 + 2.02 + 1.
    rows = step.rows_of({"grpo": steps(4.0, 1.0, 2.0), "daro": steps(8.0, 1.5, 3.03)})
    ratios = {row["phase"]: row["ratio"] for row in rows}
    assert ratios["update_actor"] == pytest.approx(3.03 / 2)
    assert ratios[step.CONTROLLED_UPDATE] == pytest.approx(2.02 / 2)
    assert ratios["step"] == pytest.approx(13.53 / 8)
    assert ratios[step.CONTROLLED_STEP] == pytest.approx(8.02 / 8)
    # raw and controlled are judged apart; three equal steps have quartiles where their median is
    verdicts = {aim.what.partition(" in the job")[0]: aim.verdict for aim in step.aims(rows)}
    assert verdicts == {
        "update_actor": "not met",
        step.CONTROLLED_UPDATE: "met",
        "step": "not met",
        step.CONTROLLED_STEP: "met",
    }


def test_jobs_of_another_commit_are_not_taken_for_this_one(tmp_path):
    """Finished jobs are taken as they are, so their folder must say which code ran."""
    for commit in ("aaa", "bbb", "aaa"):
        with step.folder_of(commit, tmp_path) as folder:
            assert folder == tmp_path / commit
    folders = []
    for _ in range(2):
        with step.folder_of("aaa+", tmp_path) as folder:
            folders.append(folder)
            assert folder.is_dir()
    assert folders[0] != folders[1] and list(tmp_path.iterdir()) == []


def test_every_job_runs_in_the_folder_of_the_commit(tmp_path, monkeypatch):
    seen, seconds = [], dict.fromkeys(step.PHASES, 1.0) | {"step": 4.0}
    monkeypatch.setattr(step, "FOLDER", tmp_path)
    monkeypatch.setattr(step.machine, "commit", lambda: "abc")
    monkeypatch.setattr(step, "run_job", lambda number, folder: seen.append((number, folder)) or [seconds] * 2)
    step.run()
    assert seen == [(number, tmp_path / "abc") for number in range(4)]


def test_the_exchange_is_a_line_through_what_was_measured():
    measured = [
        {"servers": 64, "trainer_ms": 6.0, "all_confirmed_ms": 130.0},
        {"servers": 4, "trainer_ms": 3.0, "all_confirmed_ms": 10.0},
    ]
    found = {(row["what"], row["ranks"]): row["ms"] for row in scale.exchange(measured)}
    # 1,000 ranks are 125 servers: 3 + 121 / 60 * 3 and 10 + 121 / 60 * 120
    assert found["exchange, trainer's time", 1000] == pytest.approx(9.05)
    assert found["exchange, all servers confirmed", 1000] == pytest.approx(252)
