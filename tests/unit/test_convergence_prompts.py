"""Finite training sets in the comparison: passes, what is chosen of them, and what is recorded."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console

from benchmarks.convergence import evaluation
from benchmarks.convergence.campaign import campaign
from benchmarks.convergence.methods import DARO, GRPO, choosing, with_dynamic_sampling
from benchmarks.convergence.model import Decoder
from benchmarks.convergence.prompts import ChosenPrompts
from benchmarks.convergence.records import load, save
from benchmarks.convergence.regimes import FINITE, REGIMES
from benchmarks.convergence.report.prompt_measures import (
    brier,
    end,
    is_informative,
    left_out,
    passes,
    predictions,
    share,
    share_in_pass,
)
from benchmarks.convergence.report.summary import write_report
from benchmarks.convergence.runs import Run, Schedule
from benchmarks.convergence.streams import training_set
from benchmarks.convergence.studies import PROMPTS, unique_runs
from benchmarks.convergence.toy import Toy
from benchmarks.convergence.training import Training

SHORT = Schedule(num_rounds=4, evaluate_every=1, warm_start_steps=2)
TINY = replace(REGIMES["passes"], num_prompts=8, num_problems=16)
INFORMATIVE, BAND = (choosing(GRPO, prompts) for prompts in ("informative", "band"))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(evaluation, "NUM_PROBLEMS", 10)
    yield
    torch.set_num_threads(before)


def run_of(method, **changes) -> Run:
    return replace(Run(method, TINY, 0, 1e-3, SHORT), **changes)


def trained(method, **changes) -> dict[str, np.ndarray]:
    run = run_of(method, **changes)
    return training_of(run).finish().arrays()


def training_of(run: Run) -> Training:
    """Untrained, and given to writing each digit alike: on chains of two steps sometimes right."""
    torch.manual_seed(0)
    model = Decoder()
    with torch.no_grad():
        model.head.weight.zero_()
    return Training(Toy(model, run), run)


def test_a_budget_goes_through_the_set_four_to_eight_times():
    """60 rounds x 32 prompts / 256 problems = 7.5."""
    for regime in (REGIMES[name] for name in FINITE):
        assert 4 <= regime.num_rounds * regime.num_prompts / regime.num_problems <= 8


def test_a_pass_has_each_problem_once_and_all_methods_the_same_set():
    """16 problems, 8 a round: rounds 0 and 1 are the first pass, 2 and 3 the second, in another order."""
    runs = [trained(method) for method in (GRPO, DARO)]
    for run in runs:
        passes = run["group/place"].reshape(2, 16)
        assert np.array_equal(np.sort(passes, axis=1), [range(16)] * 2) and (passes[0] != passes[1]).any()
        assert run["group/round"].tolist() == sorted([0, 1, 2, 3] * 8)
        assert run["group/pass"].tolist() == [0] * 16 + [1] * 16
        assert run["round/left_out"].tolist() == [0] * 4
    assert np.array_equal(runs[0]["group/place"], runs[1]["group/place"])
    for problems in (training_set(0, 16), training_set(0, 16)):
        assert torch.equal(problems.prompts(), training_set(0, 16).prompts())
    assert not torch.equal(training_set(0, 16).prompts(), training_set(1, 16).prompts())


def test_what_is_chosen_follows_the_memory():
    """1,000 problems in ten passes: places below 100 are solved by half of the responses, the others by none.

    Uniform passes have 10 % of the former. A hopeless problem is accepted with some 0.1, so ``informative`` generates
    100 of the former and some 90 of the latter in a pass: more than a third. So does ``band``.
    """
    for method, least in ((GRPO, 0.0), (INFORMATIVE, 0.35), (BAND, 0.35)):
        chosen = ChosenPrompts(run_of(method, regime=replace(TINY, num_problems=1000)), lambda: np.ones(7))
        places = np.zeros(0, int)
        while (taken := chosen.take(50))["pass"][-1] < 10:
            places = np.append(places, taken["place"])
            chosen.observe(taken["place"], np.where(taken["place"] < 100, 4, 0), step=len(places))
        late = places[len(places) // 2 :]
        assert (late < 100).mean() >= least
        assert (chosen.left_out == 0) == (method is GRPO)
        if method is GRPO:
            assert (late < 100).mean() == pytest.approx(0.1, abs=0.02)


def test_dynamic_sampling_takes_the_next_problems_of_the_pass(monkeypatch):
    """No group is informative: three batches of 8 a round, so two rounds go through 16 problems three times."""
    run = run_of(with_dynamic_sampling(GRPO), schedule=replace(SHORT, num_rounds=2))
    training = training_of(run)
    real = training.policy.generate_for
    training.policy.generate_for = lambda *of: replace(batch := real(*of), rewards=0 * batch.rewards)
    arrays = training.finish().arrays()
    assert np.array_equal(np.sort(arrays["group/place"].reshape(3, 16), axis=1), [range(16)] * 3)
    assert arrays["group/round"].tolist() == [0] * 24 + [1] * 24 and arrays["eval/num_generated"][-1] == 48 * 8


def test_choosing_needs_a_finite_set():
    with pytest.raises(ValueError, match="finite training set"):
        training_of(run_of(INFORMATIVE, regime=REGIMES["gap_3x"]))
    with pytest.raises(ValueError, match="got best, expected one of uniform"):
        training_of(run_of(choosing(GRPO, "best")))


@pytest.mark.parametrize("method", [choosing(DARO, "informative"), BAND])
def test_a_run_that_stopped_goes_on_with_the_same_figures(method):
    whole, first = trained(method), training_of(run_of(method))
    first._round()
    first._round()
    second = training_of(run_of(method))
    second.load_state_dict(first.state_dict())
    arrays = second.finish().arrays()
    for name in whole:
        np.testing.assert_array_equal(whole[name], arrays[name], err_msg=name)


def test_measures():
    """Two rounds of two groups of eight: 0 and 4 right, then 8 and 2. So 1/2 of each round is informative.

    Tokens 100 and 300; up to 200 it is a round and a half. The last tenth of 200 lies between .35 + .1 (180 - 100) /
    200 and .35 + .1 / 2: in the middle at .395. Place 1 comes twice: predicted .5, and it is informative: (.5)^2.
    """
    run = {
        "eval/prompts_in_bin": np.zeros((3, 9)),
        "eval/num_tokens": np.array([0, 100, 300]),
        "eval/round": np.array([0, 1, 2]),
        "eval/pass_rate": np.array([0.3, 0.35, 0.45]),
        "group/successes": np.array([0, 4, 8, 2]),
        "group/round": np.array([0, 0, 1, 1]),
        "group/pass": np.array([0, 0, 0, 1]),
        "group/place": np.array([0, 1, 2, 1]),
        "group/predicted": np.array([0.9, 0.9, 0.9, 0.5]),
        "round/left_out": np.array([0, 1000]),
    }
    assert is_informative(run).tolist() == [False, True, False, True]
    assert share_in_pass(0)(run, 200) == pytest.approx(1 / 3) and share_in_pass(1)(run, 200) == 1
    assert share(run, 200) == 0.5 and share(run, 100) == 0.5
    assert (passes(run, 100), passes(run, 200)) == (1, 2)
    assert (left_out(run, 100), left_out(run, 200)) == (0, 1)
    assert end(run, 200) == pytest.approx(0.395)
    assert brier(*predictions(run)) == pytest.approx(0.25)


def test_the_study_end_to_end(tmp_path, monkeypatch):
    """Held-out pass rates are set to .5 with uniform passes, .4 with dynamic sampling and .7 with chosen prompts, .1
    more with DARO.

    So the differences at equal tokens are -.1 and +.2 for both seeds and both measures, each to the same weighting's.
    """
    monkeypatch.setitem(REGIMES, "passes", replace(TINY, num_problems=8))
    short = {"regimes": ("passes",), "seeds": (0, 1), "schedule": SHORT, "sampled_schedule": None}
    study = replace(PROMPTS, methods=tuple(PROMPTS.methods[at] for at in (0, 1, 2, 4, 6)), **short)
    campaign(unique_runs([study]), tmp_path, 0, Console(quiet=True))
    for run in study.runs():
        arrays, about = load(run.file(tmp_path))
        rate = 0.4 if run.method.dynamic_sampling else {"uniform": 0.5, "informative": 0.7}[run.method.prompts]
        arrays["eval/pass_rate"][:] = rate + 0.1 * (run.method.options == DARO.options)
        save(run.file(tmp_path), arrays, about)
    written = write_report([study], tmp_path, tmp_path / "results")
    assert sorted(path.name for path in written) == ["prompts.json", "prompts.md", "prompts.png"]
    text = written[0].read_text()
    assert "corrected for the 3 comparisons" in text and "| DARO, default, informative | +0.200 ± 0.000" in text
    found = json.loads(written[1].read_text())["regimes"]["passes"]["methods"]
    sampled = found["GRPO, dynamic sampling"]["at_equal_tokens"]
    assert sampled["AUC over tokens - uniform"]["mean"] == pytest.approx(-0.1)
    assert sampled["final - uniform"]["mean"] == pytest.approx(-0.1)
