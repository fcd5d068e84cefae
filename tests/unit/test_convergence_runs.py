"""The benchmark's runs: paired, resumable, and the same whatever ran before."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console

from benchmarks.convergence import campaign as campaigns
from benchmarks.convergence import evaluation, rollout, toy
from benchmarks.convergence.__main__ import parse
from benchmarks.convergence.campaign import campaign
from benchmarks.convergence.methods import BY_ROOT, DAPO, DARO, EASY, GRPO, PAPER, VARIANTS, with_dynamic_sampling
from benchmarks.convergence.model import Decoder
from benchmarks.convergence.records import Recorder, load, save
from benchmarks.convergence.regimes import REGIMES
from benchmarks.convergence.report.cells import show_reached
from benchmarks.convergence.report.evidence import evidence
from benchmarks.convergence.report.results import Results
from benchmarks.convergence.report.summary import write_report
from benchmarks.convergence.rollout import Rollout, roll_out
from benchmarks.convergence.runs import Run, Schedule
from benchmarks.convergence.studies import CHOOSING_SEEDS, CONFIRMATION, STUDIES, TUNING, Study, quick, unique_runs
from benchmarks.convergence.toy import Toy
from benchmarks.convergence.training import Training
from benchmarks.convergence.tuning import best_rate, tuned
from daro_verl.errors import DaroConfigError

SHORT = Schedule(num_rounds=2, evaluate_every=1, warm_start_steps=2)
TINY = replace(REGIMES["gap_3x"], num_prompts=8)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(evaluation, "NUM_PROBLEMS", 10)
    monkeypatch.setitem(REGIMES, "gap_3x", TINY)
    yield
    torch.set_num_threads(before)


def easy_model() -> Decoder:
    """Untrained, and given to writing each digit alike: on chains of two steps sometimes right."""
    torch.manual_seed(0)
    model = Decoder()
    with torch.no_grad():
        model.head.weight.zero_()
    return model


def run_of(method, **changes) -> Run:
    return replace(Run(method, TINY, 0, 1e-3, SHORT), **changes)


def trained(method) -> Recorder:
    run = run_of(method)
    return Training(Toy(easy_model(), run), run).finish()


def rolled_out(dynamic_sampling: bool) -> Rollout:
    policy = Toy(easy_model(), run_of(GRPO))
    return roll_out(lambda generation: policy.generate(0, generation), TINY.num_prompts, dynamic_sampling)


def test_methods_see_the_same_prompts_and_noise(monkeypatch):
    """Before the first update two methods have the same responses; afterwards still the same prompts."""
    seen = {}

    def record_rollouts(*args):
        seen.setdefault(name, []).append(rollout.generate(*args))
        return seen[name][-1]

    monkeypatch.setattr(toy, "generate", record_rollouts)
    recorded = {}
    for method in (GRPO, EASY):
        name = method.name
        recorded[name] = trained(method).arrays()
    ours, theirs = seen[GRPO.name], seen[EASY.name]
    assert torch.equal(ours[0].responses, theirs[0].responses)
    assert all(torch.equal(a.prompts, b.prompts) for a, b in zip(ours, theirs, strict=True))
    first = [recorded[name]["eval/pass_rate"][0] for name in recorded]
    assert first[0] == first[1]


def test_a_run_repeats_itself_exactly():
    first, again = (trained(DARO).arrays() for _ in range(2))
    for name in first:
        np.testing.assert_array_equal(first[name], again[name], err_msg=name)


def test_weights_that_follow_gradients():
    """They leave their start, ``mu^-1/2``, and stay within the default's factor of 3."""
    method = next(method for method in VARIANTS if method.aligned)
    start = (np.arange(1, TINY.group_size) / TINY.group_size) ** -0.5
    moved = np.abs(np.log(trained(method).arrays()["step/weight"] / start))
    assert 0 < np.nanmax(moved) <= np.log(3) + 1e-9


def test_dynamic_sampling_keeps_informative_prompts_and_counts_all_responses(monkeypatch):
    """The stand-in's pass rates are 0, 1/2, 1, ... per prompt: one prompt in three is informative.

    8 prompts wanted: batches of 8 with 3, 3 and 3 informative ones give 9, of which 8 are kept, after 3 x 8 x 8 = 192
    generated responses.
    """
    real = rollout.generate
    pattern = torch.tensor([0.5, 0.0, 1.0, 0.5, 0.0, 1.0, 0.5, 0.0])

    def graded(*args, **kwargs):
        batch = real(*args, **kwargs)
        return replace(batch, rewards=(torch.arange(8) < 8 * pattern.unsqueeze(1)).float())

    monkeypatch.setattr(toy, "generate", graded)
    result = rolled_out(dynamic_sampling=True)
    assert len(result) == 8 and result.informative().all()
    assert result.num_generated == 192
    assert rolled_out(dynamic_sampling=False).num_generated == 64


def test_a_mini_batch_that_teaches_nothing_is_no_obstacle(monkeypatch):
    real = rollout.generate
    monkeypatch.setattr(toy, "generate", lambda *a, **k: replace(b := real(*a, **k), rewards=0 * b.rewards))
    for method in (GRPO, DARO, DAPO):
        arrays = trained(method).arrays()
        assert np.isfinite(arrays["eval/pass_rate"]).all()
        if "step/grad_norm" in arrays:
            assert (arrays["step/grad_norm"] == 0).all()


def test_settings_make_the_key_and_names_do_not(tmp_path):
    run = run_of(GRPO)
    assert run.file(tmp_path) == run_of(replace(GRPO, name="another name")).file(tmp_path)
    changes = (
        run_of(EASY),
        run_of(replace(GRPO, clip_high=0.28)),
        run_of(replace(GRPO, dynamic_sampling=True)),
        run_of(GRPO, seed=1),
        run_of(GRPO, learning_rate=2e-3),
        run_of(GRPO, schedule=replace(SHORT, num_rounds=3)),
        run_of(GRPO, regime=replace(TINY, num_prompts=9)),
        run_of(GRPO, regime=replace(TINY, writing=replace(TINY.writing, doubt_when_lost=0.5))),
    )
    assert len({run.file(tmp_path), *(other.file(tmp_path) for other in changes)}) == len(changes) + 1
    assert run.warm_start_file(tmp_path) == changes[0].warm_start_file(tmp_path) != changes[3].warm_start_file(tmp_path)


def test_a_campaign_end_to_end_and_again(tmp_path, monkeypatch):
    """Train, report, and train again: finished runs are skipped, one with another setting is not."""
    study = Study("main", "Does it run?", (GRPO, DARO, DAPO), ("gap_3x",), (1e-3,), (0, 1), SHORT)
    console = Console(quiet=True)
    campaign(unique_runs([study]), tmp_path, 0, console)
    assert len(list((tmp_path / "runs").iterdir())) == 6 and not list(tmp_path.rglob("*.partial"))
    arrays, about = load(run_of(GRPO).file(tmp_path))
    assert arrays["eval/round"].tolist() == [0, 1, 2]
    assert arrays["step/loss"].shape == (4, 7) and about["seconds"] > 0

    written = write_report([study], tmp_path, tmp_path / "results")
    text = (tmp_path / "results" / "main.md").read_text()
    assert f"| {DARO.name} | 0.001 |" in text and "not run" not in text
    assert all(path.exists() and path.stat().st_size < 200_000 for path in written)

    executed = []
    monkeypatch.setattr(campaigns, "execute", lambda run, folder, commit: executed.append(run))
    longer = replace(study, schedule=replace(SHORT, num_rounds=3))
    campaign(unique_runs([study, longer]), tmp_path, 0, console)
    assert {run.schedule.num_rounds for run in executed} == {3} and len(executed) == 6
    write_report([longer], tmp_path, tmp_path / "results")
    assert f"| {DARO.name} | not run |" in (tmp_path / "results" / "main.md").read_text()


def test_the_report_says_what_dynamic_sampling_adds_and_draws_what_is_asked_for(tmp_path):
    sampled = with_dynamic_sampling(DARO)
    study = Study("dynamic", "Does it help?", (DARO, sampled), ("gap_3x",), (1e-3,), (0, 1), SHORT, drawn=(DARO,))
    campaign(unique_runs([study]), tmp_path, 0, Console(quiet=True))
    write_report([study], tmp_path, tmp_path / "results")
    text = (tmp_path / "results" / "dynamic.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith("| AUC with dynamic"))
    assert row == "| AUC with dynamic sampling - without | per round | at equal responses |"
    (found,) = json.loads((tmp_path / "results" / "dynamic.json").read_text())["regimes"].values()
    area = {name: found["methods"][name]["auc_of_seed"].values() for name in (DARO.name, sampled.name)}
    differences = [b - a for a, b in zip(area[DARO.name], area[sampled.name], strict=True)]
    added = found["methods"][sampled.name]["auc_minus_the_same_without_dynamic_sampling"]
    assert added["mean"] == pytest.approx(sum(differences) / 2)
    assert "auc_minus_the_same_without_dynamic_sampling, equal responses" in found["methods"][sampled.name]
    assert not any("without_dynamic" in name for name in found["methods"][DARO.name])
    assert [path.name for path in (tmp_path / "results").glob("*weights*")] == ["dynamic-weights-daro-default.png"]


def test_seeds_that_never_arrive_count_as_late():
    assert show_reached([10.0, 20.0, 60.0], 1) == "20"
    assert show_reached([10.0, 20.0, math.inf], 1) == "20 (2 of 3 seeds)"
    assert show_reached([10.0, math.inf, math.inf], 1) == "never (1 of 3 seeds)"
    assert show_reached([], 1) == "not run"


def test_an_unknown_option_stops_a_campaign_before_it_begins(tmp_path):
    wrong = replace(DARO, options={**DARO.options, "wieght_lr": 0.1})
    with pytest.raises(DaroConfigError, match="did you mean"):
        campaign([run_of(GRPO), run_of(wrong)], tmp_path, 0, Console(quiet=True))
    assert not list(tmp_path.rglob("*.npz"))


def test_studies_share_runs_and_name_their_rows_once():
    runs = unique_runs(list(STUDIES.values()))
    assert len(runs) < sum(len(list(study.runs())) for study in STUDIES.values())
    assert [run.seed for run in runs] == sorted(run.seed for run in runs)
    for study in STUDIES.values():
        names = [method.name for method in study.methods]
        assert len(set(names)) == len(names)
        assert len(list(quick(study).runs())) < len(list(study.runs()))


def test_arguments():
    assert parse([]).study == list(STUDIES) and not parse([]).quick
    assert parse(["--study", "pilot", "tuning", "--quick"]).study == ["pilot", "tuning"]
    with pytest.raises(SystemExit):
        parse(["--study", "unheard-of"])


def test_what_chooses_uses_seeds_that_confirmation_never_sees():
    """And the learning rates are tuned on seeds that selected no form."""
    chosen = {seed for study in STUDIES.values() for seed in study.seeds if seed in CHOOSING_SEEDS}
    assert chosen and not chosen & set(CONFIRMATION.seeds)
    assert not set(TUNING.seeds) & set(STUDIES["selection"].seeds)
    assert TUNING.methods == CONFIRMATION.methods
    assert all(method in CONFIRMATION.methods for method in CONFIRMATION.drawn)


def fake_run(folder, run, pass_rates: list[float]) -> None:
    arrays = {"eval/pass_rate": np.array(pass_rates), "eval/num_tokens": np.arange(len(pass_rates))}
    save(run.file(folder), arrays, {"seconds": 1.0, "commit": "none"})


def test_a_method_is_confirmed_at_the_learning_rate_that_tuning_found(tmp_path):
    """Means of 0.2 and 0.4 over two regimes: (.1 + .3) / 2 against (.5 + .3) / 2; PAPER is not finished."""
    tuning = replace(
        TUNING, methods=(GRPO, PAPER), regimes=("gap_3x", "no_gap"), learning_rates=(1e-3, 2e-3), seeds=(0,)
    )
    study = replace(CONFIRMATION, methods=(GRPO,))
    for rate, of_regime in ((1e-3, (0.1, 0.3)), (2e-3, (0.5, 0.3))):
        for regime, value in zip(tuning.regimes, of_regime, strict=True):
            fake_run(tmp_path, tuning.run(GRPO, regime, 0, rate), [value, value])
    fake_run(tmp_path, tuning.run(PAPER, "no_gap", 0, 1e-3), [0.9, 0.9])
    assert best_rate(Results(tuning, tmp_path), GRPO) == 2e-3
    confirmed = tuned(study, tuning, tmp_path)
    assert confirmed.rates_of(GRPO) == (2e-3,) and confirmed.rates_of(EASY) == study.learning_rates
    with pytest.raises(ValueError, match="No learning rate of DARO, paper's form: run --study tuning first"):
        tuned(replace(study, methods=(GRPO, PAPER)), tuning, tmp_path)


def test_the_evidence_marks_what_is_resolved_and_counts_collapses(tmp_path):
    """EASY is .1 behind in every seed but for +-.001; BY_ROOT ahead by +.1 and -.1: not resolved, and one run of three
    ends below its start.
    """
    study = Study("confirmation", "?", (GRPO, EASY, BY_ROOT), ("gap_3x",), seeds=(0, 1, 2), schedule=SHORT)
    for seed in study.seeds:
        for method, end in ((GRPO, 0.5), (EASY, 0.3 + 0.004 * seed), (BY_ROOT, (0.7, 0.3, 0.05)[seed])):
            run = study.run(method, "gap_3x", seed, 1e-3)
            curve = np.array([0.1, end, end])
            arrays = {f"eval/{name}": curve for name in ("pass_rate", "solved_once", "entropy", "distinct")}
            arrays |= {"eval/num_tokens": np.array([0, 10, 20]), "eval/gap_in_level": curve + 1}
            arrays |= {"eval/pass_rate_of_level": np.tile(curve[:, None], 5), "eval/prompts_in_bin": np.ones((3, 9))}
            save(run.file(tmp_path), arrays, {"seconds": 1.0, "commit": "none"})
    text = evidence(Results(study, tmp_path))
    rows = [line for line in text.splitlines() if line.startswith(f"| {EASY.name} ")]
    assert rows[0] == f"| {EASY.name} | 0.001 | -0.131 ± 0.002 \\* |"  # 2/3 of -.2 + .004 = -.1307
    leaning = [line for line in text.splitlines() if line.startswith(f"| {BY_ROOT.name} ")]
    assert "\\*" not in leaning[0] and leaning[-1] == f"| {BY_ROOT.name} | 1 of 3 |"
