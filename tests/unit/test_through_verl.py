"""The comparison through verl: what it reads of finished jobs."""

import json

import pytest

from benchmarks.through_verl import MEAN, finished, folder_of, report
from examples.quickstart.smollm2 import TASK


def write_job(folder, method, seed, rates):
    """A job as verl logs it: validations at steps 0, 5 and 10, every level with the same rate."""
    attempts = folder_of(folder, method, seed) / "daro" / "attempts"
    attempts.mkdir(parents=True)
    lines = []
    for step, rate in zip((0, 5, 10), rates, strict=False):
        data = {f"val-core/{source}/acc/mean@8": rate for source in TASK.sources.values()}
        lines.append({"step": step, "data": data | ({"critic/score/mean": 0.5} if step else {})})
    (attempts / "0001.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_differences_are_paired_by_seed_and_an_unfinished_job_is_not_counted(tmp_path):
    """GRPO .3, .4, .5 and .3, .5, .7: means .4 and .5. DARO .3, .5, .7 and .3, .6, .9: .5 and .6, so +.1 in both seeds;
    at the end +.2 in both. The third seed of DARO stopped after step 5."""
    write_job(tmp_path, "GRPO", 0, (0.3, 0.4, 0.5))
    write_job(tmp_path, "GRPO", 1, (0.3, 0.5, 0.7))
    write_job(tmp_path, "DARO", 0, (0.3, 0.5, 0.7))
    write_job(tmp_path, "DARO", 1, (0.3, 0.6, 0.9))
    write_job(tmp_path, "DARO", 2, (0.3, 0.6))
    runs = finished(tmp_path, 10, 3, ["GRPO", "DARO"])
    assert [(run["method"], run["seed"]) for run in runs] == [("GRPO", 0), ("DARO", 0), ("GRPO", 1), ("DARO", 1)]
    assert [run[MEAN] for run in runs] == pytest.approx([0.4, 0.5, 0.5, 0.6])
    lines = report(runs).splitlines()
    assert "| DARO | 2 | 0.800 ± 0.100 | +0.200 ± 0.000 | 0.550 ± 0.050 | +0.100 ± 0.000 |" in lines
    assert "| LIPO | 0 | not run | not run | not run | not run |" in lines
