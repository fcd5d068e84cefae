"""The benchmark's task, model and sampler: marks, grading, log-probabilities, writers."""

import numpy as np
import pytest
import torch

from benchmarks.convergence.model import Decoder, response_log_probs
from benchmarks.convergence.regimes import REGIMES
from benchmarks.convergence.sampling import sample
from benchmarks.convergence.streams import held_out_problems, torch_stream, training_problems
from benchmarks.convergence.task import (
    MAX_RESPONSE_LENGTH,
    PAD,
    TOKENS,
    Checker,
    Problems,
    draw_problems,
    is_cut_off,
    is_right,
    lengths,
    show,
    symbols_of,
)
from benchmarks.convergence.writers import Facts, draw_facts, write_solutions


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def row(text: str) -> torch.Tensor:
    """Token ids of one response, padded to the limit."""
    tokens = [TOKENS.index(token) for token in text.split()]
    return torch.tensor([tokens + [PAD] * (MAX_RESPONSE_LENGTH - len(tokens))])


def chain(digits: list[int], operations: list[int]) -> Problems:
    """One problem; the rest of the arrays is never read."""
    filled = np.zeros((1, 7), dtype=int), np.zeros((1, 6), dtype=int)
    filled[0][0, : len(digits)], filled[1][0, : len(operations)] = digits, operations
    return Problems(*filled, np.array([len(operations)]))


def test_a_problem_and_its_results():
    """3 + 8 = 11, ends in 1; 1 - 5 = -4, ends in 6; 6 * 7 = 42, ends in 2."""
    problem = chain([3, 8, 5, 7], [0, 1, 2])
    assert show(problem.prompts()[0]) == "3 +8 -5 *7 ="
    assert problem.results().tolist() == [[1, 6, 2, -1, -1, -1]]


@pytest.mark.parametrize(
    ("response", "right"),
    [
        ("1 6 $", True),
        ("1 6 ? ? $", True),
        ("? 1 ? 6 $", True),
        ("1 7! $", False),
        ("2! 6! $", False),
        ("1 $", False),
        ("1 6 6! $", False),
        ("$", False),
        ("1 6" + " ?" * (MAX_RESPONSE_LENGTH - 2), False),
    ],
)
def test_grading(response, right):
    results = chain([3, 8, 5], [0, 1]).results()
    assert is_right(row(response), results).tolist() == [right]


def test_the_checker_marks_every_digit_from_the_first_wrong_one_on():
    """The right digits are 1 and 6; after the wrong 7 a 6 is marked too, and so is a digit beyond the chain's end."""
    results = chain([3, 8, 5], [0, 1]).results()
    for written, read in (("? 7 6 ? $", "? 7! 6! ? $"), ("1 6 ? 6 $", "1 6 ? 6! $")):
        checker = Checker(results)
        marked = torch.stack([checker.mark(symbol) for symbol in symbols_of(row(written)).unbind(1)], dim=1)
        assert show(marked[0]).startswith(read)
        assert symbols_of(row(read)).tolist() == symbols_of(row(written)).tolist()


def test_lengths_and_cut_offs():
    rambling = "1" + " ?" * (MAX_RESPONSE_LENGTH - 1)
    responses = torch.cat([row("1 6 $"), row(rambling)])
    assert lengths(responses).tolist() == [3, MAX_RESPONSE_LENGTH]
    assert is_cut_off(responses).tolist() == [False, True]


def test_the_samplers_log_probabilities_are_the_models():
    """Rows end at different places, so that the sampler drops some of them on the way."""
    torch.manual_seed(0)
    model, problems = Decoder(), draw_problems(np.random.default_rng(0), 16)
    responses, log_probs = sample(model, problems, 4, torch_stream(0, 0))
    assert len(lengths(responses).unique()) > 5
    expected = response_log_probs(model, problems.prompts(), responses)
    torch.testing.assert_close(log_probs, expected.detach(), atol=1e-5, rtol=1e-5)
    assert (log_probs[responses == PAD] == 0).all() and (log_probs[responses != PAD] < 0).all()


def test_sampling_depends_on_its_generator_alone():
    torch.manual_seed(0)
    model, problems = Decoder(), draw_problems(np.random.default_rng(0), 4)
    first, again, other = (sample(model, problems, 4, torch_stream(seed, 0))[0] for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_responses_follow_the_models_distribution():
    """4000 first symbols against the softmax: a share p has standard error sqrt(p (1-p) / 4000) < .008; 5 of them."""
    torch.manual_seed(0)
    model, problems = Decoder(), draw_problems(np.random.default_rng(0), 1)
    responses, _ = sample(model, problems, 4000, torch_stream(0, 0))
    counts = torch.bincount(symbols_of(responses[:, 0]), minlength=12)
    with torch.no_grad():
        expected = model(model.prefix(problems.prompts()), responses[:1, :1])[0, 0].softmax(dim=-1)
    torch.testing.assert_close(counts / 4000, expected, atol=0.04, rtol=0)


@pytest.mark.parametrize(("name", "least"), [("no_gap", None), ("gap_1.5x", 1.3), ("gap_3x", 2), ("hopeless", 2)])
def test_the_writers_make_the_regime(name, least):
    """Where failures are long they are longer on each level; else as long as successes of the same level."""
    writing, rng = REGIMES[name].writing, np.random.default_rng(0)
    problems, facts = draw_problems(rng, 4000), draw_facts(rng, writing)
    solutions = write_solutions(problems, facts, writing, rng)
    right, length = is_right(solutions, problems.results()), lengths(solutions).float()
    assert 0.1 < right.float().mean() < 0.4
    for level in (2, 4, 6):
        at = torch.from_numpy(problems.level == level)
        ratio = (length[at & ~right].mean() / length[at & right].mean()).item()
        assert ratio > least if least else ratio == pytest.approx(1, abs=0.12)


def test_failures_on_easy_problems_can_be_the_longest():
    writing, rng = REGIMES["gap_of_easy"].writing, np.random.default_rng(0)
    problems, facts = draw_problems(rng, 4000), draw_facts(rng, writing)
    solutions = write_solutions(problems, facts, writing, rng)
    right, length = is_right(solutions, problems.results()), lengths(solutions).float()
    at = [torch.from_numpy(problems.level == level) for level in (2, 4, 6)]
    easy, middle, hard = (float(length[one & ~right].mean() / length[one & right].mean()) for one in at)
    assert easy > 3.5 > middle > hard > 1.2


def test_writers_who_never_err_are_right():
    problems = draw_problems(np.random.default_rng(0), 50)
    never = Facts(np.zeros((3, 10, 10)), np.zeros((3, 10, 10), dtype=int))
    solutions = write_solutions(problems, never, REGIMES["no_gap"].writing, np.random.default_rng(0))
    assert (is_right(solutions, problems.results()) | is_cut_off(solutions)).all()


def test_streams_of_prompts():
    """A round's prompts depend on seed, round and generation, and are not those of the evaluations."""
    same, again = (training_problems(0, 3, 0, 8).prompts() for _ in range(2))
    assert torch.equal(same, again)
    for other in (training_problems(1, 3, 0, 8), training_problems(0, 4, 0, 8), training_problems(0, 3, 1, 8)):
        assert not torch.equal(same, other.prompts())
    assert not torch.equal(same, held_out_problems(8).prompts())
