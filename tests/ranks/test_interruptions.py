"""Hard kills of the short job of ``benchmarks/interruptions``, and that its check would see what it looks for."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.interruptions.campaign import CampaignJob, Start
from benchmarks.interruptions.check import Reference, outcomes
from benchmarks.interruptions.journal import BEFORE_MODEL, BETWEEN, DATA, LOADING, MODEL, SAVED, TRACKER, TRAINING
from benchmarks.interruptions.kills import AtPhase

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_killed_job_goes_on_from_its_newest_complete_checkpoint_bit_for_bit(tmp_path):
    """Killed between the model's files and ours, and while verl's tracker is empty."""
    command = [sys.executable, "-m", "benchmarks.interruptions", "--quick"]
    command += ["--folder", str(tmp_path / "jobs"), "--output", str(tmp_path / "result.json")]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    result = json.loads((tmp_path / "result.json").read_text())
    between, tracker = result["kills"]
    # A save every 2 of 6 steps. The save of step 4 is cut off: step 2 again. Then it is complete but not named.
    assert (between["phase"], between["step"], between["resumed"]) == (BETWEEN, 4, 2)
    assert (tracker["phase"], tracker["step"], tracker["resumed"]) == (TRACKER, 4, 4)
    assert result["summary"]["states_compared"] == 6  # steps 2 to 4 after the first kill, 4 to 6 after the second
    assert result["summary"]["states_different"] == 0


def phases(step: int, *names: str) -> list[dict]:
    return [{"phase": name, "step": step} for name in names]


def state(kind: str, step: int, model: str = "same") -> list[dict]:
    return [{"time": 0.0, "kind": kind, "step": step, "item": step, "ranks": [{"model": model}]}]


def trained(step: int, **changed: str) -> list[dict]:
    return phases(step, TRAINING) + state("trained", step, **changed)


def saved(step: int) -> list[dict]:
    return phases(step, BEFORE_MODEL, MODEL, BETWEEN, DATA, TRACKER, SAVED)


REFERENCE = [*state("trained", 0), *state("trained", 1), *state("trained", 2), *state("trained", 3)]
TWO_STEPS = [*phases(0, LOADING), *trained(1), *saved(1), *trained(2)]


def job_of(folder, *journals: list[dict]) -> CampaignJob:
    """A job that was killed after each journal but the last. What is resumed has no data item."""
    job = CampaignJob(folder, keep=1)
    for i, lines in enumerate(journals):
        path = folder / f"{i}.jsonl"
        lines = [{k: v for k, v in line.items() if not (k == "item" and line["kind"] == "resumed")} for line in lines]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"torn')
        job.starts.append(Start(path, AtPhase(BETWEEN) if i < len(journals) - 1 else None))
    return job


@pytest.mark.parametrize(
    ("killed_in", "resumed", "model", "problem"),
    [
        ([], 1, "same", None),
        (phases(2, BEFORE_MODEL, MODEL), 1, "same", None),
        (phases(2, BEFORE_MODEL, MODEL), 0, "same", "resumed from step 0 instead of"),
        (phases(2, BEFORE_MODEL, MODEL, BETWEEN), 2, "same", "resumed from step 2 instead of"),
        (phases(2, BEFORE_MODEL, MODEL, BETWEEN, DATA), 2, "same", None),
        (phases(2, BEFORE_MODEL, MODEL, BETWEEN, DATA, TRACKER), 2, "same", None),
        (phases(2, BEFORE_MODEL, MODEL, BETWEEN, DATA, TRACKER), 1, "same", "resumed from step 1 instead of"),
        (saved(2) + trained(3), 2, "same", None),
        ([], 1, "other", r"state differs from the uninterrupted run at steps \[1\]"),
    ],
)
def test_the_check_sees_what_was_lost_and_what_differs(tmp_path, killed_in, resumed, model, problem):
    job = job_of(tmp_path, TWO_STEPS + killed_in, state("resumed", resumed, model) + trained(resumed + 1))
    [outcome] = outcomes(job, Reference(REFERENCE))
    problems = "\n".join(outcome.problems(save_every=1))
    if problem is None:
        assert not problems
        assert outcome.compared == 2
    else:
        assert re.search(problem, problems)


def test_a_kill_before_the_resume_is_judged_by_the_next_start(tmp_path):
    job = job_of(tmp_path, TWO_STEPS, phases(0, LOADING), state("resumed", 1) + trained(2, model="other"))
    first, second = outcomes(job, Reference(REFERENCE))
    assert (first.phase, first.resumed, second.phase, second.resumed) == (TRAINING, 1, LOADING, 1)
    assert first.different == second.different == [2]
