"""One report of three DARO seeds, two GRPO seeds and a job that logged nothing, drawn once for all tests."""

from pathlib import Path

import pytest

from daro_verl.cli import main
from tests.toolkit.report.logs import metrics, validation, write_events, write_json_lines

NUM_STEPS = 12
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="session")
def logs(tmp_path_factory) -> Path:
    """``daro-seed1..3`` (the first in both formats, the second broken at its end), ``grpo-seed1..2``, ``idle``."""
    directory = tmp_path_factory.mktemp("jobs")
    for seed in (1, 2, 3):
        rates = {step: validation(0.01 * seed) for step in range(4, NUM_STEPS + 1, 4)}
        records = {step: metrics(step) | rates.get(step, {}) for step in range(1, NUM_STEPS + 1)}
        write_json_lines(directory / f"daro-seed{seed}/logs/a.jsonl", records, '{"step"' if seed == 2 else "")
    write_events(directory / "daro-seed1/tensorboard", {1: metrics(1)})
    for seed in (1, 2):
        records = {step: metrics(step, daro=False, offset=0.1 * seed) for step in range(1, NUM_STEPS + 1)}
        write_json_lines(directory / f"grpo-seed{seed}/a.jsonl", records)
    (directory / "idle").mkdir()
    return directory


@pytest.fixture(scope="session")
def report(logs, tmp_path_factory) -> Path:
    """The directory that the command wrote. The method of GRPO has a name that would be markup."""
    out = tmp_path_factory.mktemp("out") / "new" / "report"
    daro = [str(logs / f"daro-seed{seed}") for seed in (1, 2, 3)]
    grpo = [f"{HOSTILE}={logs}/grpo-seed{seed}" for seed in (1, 2)]
    assert main(["report", *daro, *grpo, str(logs / "idle"), "--out", str(out)]) == 0
    return out
