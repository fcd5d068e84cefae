"""The comparison on a language model, with a tiny random Llama: sampling, log-probabilities, gradients, resuming."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.convergence.methods import DARO, GRPO
from benchmarks.convergence.records import load
from benchmarks.convergence.rollout import Rollout
from benchmarks.convergence.runs import Schedule
from benchmarks.convergence.training import Training
from benchmarks.convergence.update import check_options
from benchmarks.real_model import execute as executing
from benchmarks.real_model import task
from benchmarks.real_model.__main__ import METHODS, main, parse, study_of
from benchmarks.real_model.language_model import PAD, LanguageModel
from benchmarks.real_model.policy import LanguagePolicy
from benchmarks.real_model.runs import LanguageRegime, LanguageRun
from tests.platform.tiny_model import build

QUESTIONS = ["What is 2 + 3?", "What is 40 + 7? Answer with a number."]  # prompts of two lengths
SMALL = {"num_prompts": 4, "group_size": 4, "max_response_length": 6, "num_held_out": 4, "num_samples": 2}


@pytest.fixture(scope="module")
def directory(tmp_path_factory) -> str:
    return str(build(tmp_path_factory.mktemp("llama"), "llama"))


@pytest.fixture(autouse=True)
def half_of_the_responses_are_right(monkeypatch):
    """A random model never is: here a response is right if its text has an even length."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(task, "is_right", lambda response, answer, has_ended: len(response) % 2 == 0)
    yield
    torch.set_num_threads(before)


def ending_model(directory: str) -> LanguageModel:
    """It is far from uniform, and ends some responses early."""
    model = LanguageModel(directory)
    with torch.no_grad():
        model.module.lm_head.weight.mul_(4)
        model.module.lm_head.weight[model.end] = 0
    return model


def run_of(directory: str, method=GRPO, **changes) -> LanguageRun:
    regime = LanguageRegime(directory, **{**SMALL, **changes})
    return LanguageRun(method, regime, 0, 1e-3, Schedule(num_rounds=3, evaluate_every=2))


def plain_log_probs(model: LanguageModel, prompt: torch.Tensor, response: torch.Tensor) -> torch.Tensor:
    """[t, vocabulary] at each token of one response, from one forward pass without padding or cache."""
    ids = torch.cat((prompt[prompt != PAD], response[response != PAD]))
    logits = model.module(ids.unsqueeze(0)).logits[0]
    return logits.log_softmax(dim=-1)[(prompt != PAD).sum() - 1 : -1]


def test_sampling_inverts_the_distribution_and_log_probs_are_those_of_a_plain_forward_pass(directory):
    model = ending_model(directory)
    prompts, uniform = model.encode(QUESTIONS), torch.rand(2, 8, 40, generator=torch.Generator().manual_seed(0))
    responses, sampled = model.sample(prompts, uniform)
    again = model.log_probs(prompts, responses)
    lengths = (responses != PAD).sum(dim=-1)
    assert lengths.min() < 40 and len(lengths.unique()) > 2  # rows ended, and were dropped, at different places
    for i, j in np.ndindex(2, 8):
        response, n = responses[i, j], int(lengths[i, j])
        assert model.end not in response[: n - 1] and (n == 40 or response[n - 1] == model.end)
        want = plain_log_probs(model, prompts[i], response)
        own = want.gather(1, response[:n, None]).squeeze(1)
        torch.testing.assert_close(sampled[i, j, :n], own.detach(), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(again[i, j, :n], own, atol=1e-5, rtol=1e-5)
        assert not sampled[i, j, n:].any() and not again[i, j, n:].any()
        upper = want.exp().cumsum(dim=1).gather(1, response[:n, None]).squeeze(1)
        assert (uniform[i, j, :n] < upper + 1e-5).all() and (uniform[i, j, :n] > upper - own.exp() - 1e-5).all()


def gradients_of(directory: str, micro_batch: int) -> dict[str, torch.Tensor]:
    """Of the first mini-batch of a run of DARO."""
    run = run_of(directory, DARO, micro_batch=micro_batch, num_prompts=8)
    training = Training(LanguagePolicy(ending_model(directory), run), run)
    kept = {}

    def keep() -> float:
        kept.update((name, p.grad.clone()) for name, p in training.policy.module.named_parameters())
        return 1.0

    training._take_step = keep
    rollout = training.policy.generate(0, 0)
    rollout.rewards[:3] = torch.tensor([0.0, 1.0, 0.0])[:, None]  # three prompts teach nothing
    training.train_on(rollout, [np.arange(8)])
    return kept


def test_leaving_out_prompts_that_teach_nothing_changes_no_gradient(directory, monkeypatch):
    some = gradients_of(directory, micro_batch=2)
    monkeypatch.setattr(Rollout, "informative", lambda self: torch.ones(len(self), dtype=torch.bool))
    everything = gradients_of(directory, micro_batch=8)
    scale = max(gradient.abs().max() for gradient in everything.values())
    assert scale > 1e-4
    for name, gradient in everything.items():
        torch.testing.assert_close(some[name] / scale, gradient / scale, atol=1e-5, rtol=0, msg=name)


def test_methods_see_the_same_prompts_and_noise_and_no_held_out_question(directory):
    first, second = (LanguagePolicy(ending_model(directory), run_of(directory, method)) for method in (GRPO, DARO))
    ours, theirs = first.generate(1, 0), second.generate(1, 0)
    assert torch.equal(ours.prompts, theirs.prompts) and torch.equal(ours.responses, theirs.responses)
    assert ours.num_generated == 16 and ours.num_generated_tokens == int((ours.responses != PAD).sum())
    held_out = {problem.question for problem in task.held_out(48)}
    seen = {problem.question for step in range(20) for problem in task.training(0, step, 0, 8, frozenset(held_out))}
    assert len(held_out) == 48 and not seen & held_out


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("method", [GRPO, DARO], ids=["GRPO", "DARO"])
def test_a_run_that_was_killed_goes_on_with_the_same_figures(directory, tmp_path, monkeypatch, method):
    run = run_of(directory, method)
    executing.execute(run, tmp_path / "whole", "commit", 1, 1)
    rounds = []

    def killed_after_two_rounds(training: Training) -> str:
        rounds.append(training.number)
        if len(rounds) == 2:
            raise Killed
        return ""

    monkeypatch.setattr(executing, "_progress", killed_after_two_rounds)
    with pytest.raises(Killed):
        executing.execute(run, tmp_path / "killed", "commit", 1, 1)
    executing.execute(run, tmp_path / "killed", "commit", 1, 1)
    assert rounds == [1, 2, 3, 4]  # none was done again
    whole, resumed = (load(run.file(tmp_path / name))[0] for name in ("whole", "killed"))
    for name, values in whole.items():
        np.testing.assert_array_equal(values, resumed[name], err_msg=name)
    assert [path.suffix for path in (tmp_path / "killed").iterdir()] == [".npz"]


def test_the_table_pairs_methods_by_seed(directory, tmp_path, monkeypatch):
    """Two methods, two seeds, one step: differences have standard errors, and every run is counted."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})  # a thread: two spin where other work has a core
    places = ["--out", str(tmp_path), "--results", str(tmp_path / "results"), "--model", directory, "--processes", "0"]
    sizes = ["--steps", "1", "--prompts", "4", "--group", "4", "--max-response", "6", "--held-out", "4"]
    main(["--methods", "GRPO", "LIPO", "--seeds", "2", *sizes, *places])
    text = (tmp_path / "results" / "smollm2-cpu.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith("| LIPO | 6e-06 |"))
    assert "4 of 4 runs finished" in text and "nan" not in row and "not run" not in text


def test_settings(directory, tmp_path):
    run = run_of(directory)
    moved = replace(run, regime=replace(run.regime, model="elsewhere/" + directory.rpartition("/")[2]))
    assert run.file(tmp_path) == moved.file(tmp_path) != run_of(directory, dtype="bfloat16").file(tmp_path)
    assert study_of(parse(["--device", "cuda"])).regime.dtype == "bfloat16"
    assert study_of(parse(["--device", "cuda", "--dtype", "float32"])).regime.dtype == "float32"
    for method in METHODS.values():
        check_options(method.options)
