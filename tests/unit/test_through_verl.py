"""The comparison through verl: what it reads of finished jobs, and what it keeps of earlier ones."""

import json

import pytest

from benchmarks import through_verl
from benchmarks.through_verl import EARLY, LATE, MEAN, STUDIES, folder_of, recorded
from examples.quickstart.smollm2 import TASK

WEIGHTINGS = STUDIES["weightings"]


def write_job(folder, method, seed, rates, informative=(0.5, 0.5)):
    """A job as verl logs it: validations at steps 5 and 10, every level with the same rate."""
    attempts = folder_of(folder, method, seed) / "daro" / "attempts"
    attempts.mkdir(parents=True)
    lines = []
    for step, rate, share in zip((5, 10), rates, informative, strict=False):
        data = {f"val-core/{source}/acc/mean@8": rate for source in TASK.sources.values()}
        data |= {"critic/score/mean": 0.5, "perf/time_per_step": 30.0, "daro/prompts/informative": share}
        lines.append({"step": step, "data": data})
    (attempts / "0001.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def tables(monkeypatch, folder, results, *more):
    arguments = ["through_verl", "--tables-only", "--seeds=3", f"--folder={folder}", f"--out={results.parent}", *more]
    monkeypatch.setattr("sys.argv", arguments)
    through_verl.main()
    return json.loads(results.read_text())["runs"]


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results" / "through_verl.json"


def test_differences_are_paired_by_seed_and_an_unfinished_job_is_not_counted(tmp_path, results, monkeypatch):
    """GRPO .4, .5 and .5, .7: means .45 and .6. DARO .5, .7 and .6, .9: .6 and .75, so +.15 in both seeds;
    at the end +.2 in both. The third seed of DARO stopped after step 5."""
    write_job(tmp_path, "GRPO", 0, (0.4, 0.5))
    write_job(tmp_path, "GRPO", 1, (0.5, 0.7))
    write_job(tmp_path, "DARO", 0, (0.5, 0.7))
    write_job(tmp_path, "DARO", 1, (0.6, 0.9))
    write_job(tmp_path, "DARO", 2, (0.6,))
    runs = tables(monkeypatch, tmp_path, results)
    assert [(run["method"], run["seed"]) for run in runs] == [("GRPO", 0), ("DARO", 0), ("GRPO", 1), ("DARO", 1)]
    assert [run[MEAN] for run in runs] == pytest.approx([0.45, 0.6, 0.6, 0.75])
    lines = results.with_suffix(".md").read_text().splitlines()
    assert "| DARO | 2 | 0.800 ± 0.100 | +0.200 ± 0.000 | 0.675 ± 0.075 | +0.150 ± 0.000 |" in lines
    assert "| LIPO | 0 | not run | not run | not run | not run |" in lines


def test_seeds_can_be_added_where_the_folders_of_earlier_jobs_are_gone(tmp_path, results, monkeypatch):
    write_job(tmp_path / "first night", "GRPO", 0, (0.4, 0.5))
    write_job(tmp_path / "second night", "GRPO", 1, (0.5, 0.7))
    tables(monkeypatch, tmp_path / "first night", results)
    runs = tables(monkeypatch, tmp_path / "second night", results)
    assert [run["seed"] for run in runs] == [0, 1]


def test_runs_of_other_settings_are_not_of_this_table(tmp_path, results, monkeypatch):
    write_job(tmp_path, "GRPO", 0, (0.4, 0.5))
    tables(monkeypatch, tmp_path, results)
    assert len(recorded(results, WEIGHTINGS, 10)) == 1
    assert recorded(results, WEIGHTINGS, 20) == []
    earlier = json.loads(results.read_text())
    earlier["options"]["DARO"]["weight_max"] = "another default"
    results.write_text(json.dumps(earlier))
    assert recorded(results, WEIGHTINGS, 10) == []


def test_ways_to_choose_prompts(tmp_path, results, monkeypatch):
    write_job(tmp_path, "uniform", 0, (0.4, 0.5), informative=(0.4, 0.3))
    write_job(tmp_path, "informative", 0, (0.4, 0.6), informative=(0.5, 0.75))
    results = results.with_name("through_verl_prompts.json")
    _, informative = tables(monkeypatch, tmp_path, results, "--study=prompts")
    assert (informative[EARLY], informative[LATE]) == (0.5, 0.75)
    assert "| informative | 1 | 0.500 (1 seed) | +0.100 (1 seed) | 0.750 (1 seed) | +0.450 (1 seed) |" in (
        results.with_suffix(".md").read_text()
    )
