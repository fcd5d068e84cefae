"""The difficulty memory: posteriors, kin, forgetting; duplicated, new and unknown prompts; size."""

import numpy as np
import pytest

from daro_verl.prompts.memory import COLUMNS, LEVELS, DifficultyMemory


def observed(*steps, source="math"):
    """A memory after some steps, each ``{id: (successes, responses)}``."""
    memory = DifficultyMemory()
    for number, step in enumerate(steps):
        successes, responses = np.array(list(step.values()), dtype=float).T
        memory.observe(np.array(list(step)), [source] * len(step), successes, responses, number)
    return memory


def moments(memory, prompt):
    """``m1`` and ``m2`` of the posterior: E mu = alpha / c and E mu^2 = alpha (alpha + 1) / (c (c + 1))."""
    found = memory.predict(memory.rows(np.array([prompt])))
    alpha, size = found.alpha.item(), (found.alpha + found.beta).item()
    return alpha / size, alpha * (alpha + 1) / (size * (size + 1))


def guess(rate):
    """Before kin were seen: alpha + beta = 8, so m2 = rate^2 + rate (1 - rate) / 9."""
    return rate**2 + rate * (1 - rate) / 9


def column(memory, name, prompt):
    return memory.prompts[name][memory.rows(np.array([prompt]))].item()


def test_of_a_prompt_never_seen_nothing_is_known():
    """Beta(4, 4). So it is for a prompt that is not even in the data set, where others are."""
    memory = DifficultyMemory()
    assert moments(memory, 7) == pytest.approx((0.5, guess(0.5)))
    memory.add(np.array([7]), ["math"])
    assert moments(memory, 7) == pytest.approx((0.5, guess(0.5)))
    assert moments(memory, 8) == pytest.approx((0.5, guess(0.5)))
    assert np.isnan(column(memory, "last_pass_rate", 7))
    assert column(memory, "last_step", 7) == -1


def test_one_visit_makes_a_record_and_tells_what_prompts_never_seen_are_like():
    """2 of 8: a record of 0.25, half way between levels 0.2 and 0.3, whose kin were not seen again yet.

    Prompts never seen: m1 = (2 + 16 / 2) / (8 + 16) for all sources, (2 + 16 x 10 / 24) / 24 for this one. m2: the
    group counts 8 x 2 x 1 / (8 x 7) = 2 / 7.
    """
    memory = observed({7: (2, 8)})
    assert moments(memory, 7) == pytest.approx((0.25, (guess(0.2) + guess(0.3)) / 2))
    assert [column(memory, name, 7) for name in ("visits", "last_step", "last_pass_rate")] == [1, 0, 0.25]
    memory.add(np.array([8]), ["math"])
    m2 = (2 / 7 + 16 * guess(0.5)) / 24
    assert moments(memory, 8) == pytest.approx(((2 + 16 * 10 / 24) / 24, (2 / 7 + 16 * m2) / 24))


def test_older_visits_count_half():
    """0 of 8, then 8 of 8: 8 of 4 + 8, a record of 2/3. Between levels 0.6 and 0.7, two thirds of the way."""
    memory = observed({7: (0, 8)}, {7: (8, 8)})
    assert [column(memory, name, 7) for name in ("successes", "responses", "visits", "last_step")] == [8, 12, 2, 1]
    assert moments(memory, 7) == pytest.approx((2 / 3, guess(0.6) / 3 + 2 * guess(0.7) / 3))


def test_a_prompt_is_predicted_by_what_its_kin_did():
    """Prompts 1 and 2 had 0 of 8. Prompt 1 has 4 of 8 when it is visited again: kin of level 0 are 4 of 8.

    All sources: (4 + 16 x 0) / (8 + 16) = 1/6; this source: (4 + 16 / 6) / (8 + 16) = 5/18. m2: the group counts
    8 x 4 x 3 / (8 x 7) = 12 / 7; all sources (12 / 7) / 24 = 1/14, this source (12 / 7 + 16 / 14) / 24 = 5/42.
    """
    memory = observed({1: (0, 8), 2: (0, 8)}, {1: (4, 8)})
    assert moments(memory, 2) == pytest.approx((5 / 18, 5 / 42))


def test_kin_of_another_source_count_as_sixteen_responses():
    """The other source has only the rate of all sources, 1/6 as above, and m2 = 1/14."""
    memory = observed({1: (0, 8)}, {1: (4, 8)})
    memory.observe(np.array([3]), ["code"], np.array([0.0]), np.array([8.0]), 2)
    assert moments(memory, 3) == pytest.approx((1 / 6, 1 / 14))


def test_kin_that_were_seen_long_ago_count_less():
    """Level 0 is seen again twice: 8 of 8, then 0 of 8. n = 0.9 x 8 + 8, k = 0.9 x 8, pairs 0.9 x 8."""
    memory = observed({1: (0, 8), 2: (0, 8)}, {1: (8, 8)}, {2: (0, 8)})
    assert memory.kin[0, 0].tolist() == pytest.approx([15.2, 7.2, 7.2])


@pytest.mark.parametrize("num_parts", [2, 30])
def test_the_groups_of_a_step_count_the_same_in_many_parts(num_parts):
    """verl's buffer is looked at every two seconds: prompts that end in one step come in many calls."""
    ids, step, whole, parts = np.arange(240), 0, DifficultyMemory(), DifficultyMemory()
    for step in range(4):
        successes, full = (ids * (step + 3) % 9).astype(float), np.full(240, 8.0)
        whole.observe(ids, ["math"] * 240, successes, full, step)
        for part in np.array_split(ids, num_parts):
            parts.observe(part, ["math"] * len(part), successes[part], full[part], step)
    assert parts.kin == pytest.approx(whole.kin)
    assert parts.predict(ids).mean == pytest.approx(whole.predict(ids).mean)


def test_kin_that_differ_leave_more_doubt_than_kin_that_are_alike():
    """After 0 of 8, forty prompts each have 4 of 8 again; or half of them 0, half 8. The mean is the same, about 1/2;
    in the first case ``mu`` is nearly known, in the second it is near 0 or 1."""
    first = {prompt: (0, 8) for prompt in range(41)}
    alike = observed(first, {prompt: (4, 8) for prompt in range(40)})
    split = observed(first, {prompt: (8 * (prompt % 2), 8) for prompt in range(40)})
    known, unknown = (memory.predict(memory.rows(np.array([40]))) for memory in (alike, split))
    assert known.mean == pytest.approx(unknown.mean)
    assert (known.alpha + known.beta).item() > 8
    assert (unknown.alpha + unknown.beta).item() == 1


def test_groups_of_the_same_prompt_are_one_visit():
    memory = DifficultyMemory()
    memory.observe(np.array([5, 5]), ["math"] * 2, np.array([1.0, 3.0]), np.array([8.0, 8.0]), 0)
    assert [column(memory, name, 5) for name in ("successes", "responses", "visits")] == [4, 16, 1]


def test_a_group_without_responses_is_no_visit():
    memory = observed({5: (0, 0)})
    assert column(memory, "visits", 5) == 0


def test_prompts_keep_what_is_known_of_them_when_others_come():
    memory = observed({5: (1, 8), 9: (2, 8)})
    memory.add(np.array([7, 5, 7]), ["new", "another", "new"])
    assert memory.prompts["id"].tolist() == [5, 7, 9]
    assert memory.prompts["successes"].tolist() == [1, 0, 2]
    assert [memory.sources[i] for i in memory.prompts["source"]] == ["math", "new", "math"]


def test_the_prediction_follows_a_model_that_learns():
    """500 prompts at one rate, which rises from .1 to .9 in ten passes, .09 each. Where half of a pass is done, what
    each of the others did last time is .09 behind. The prediction is less than 0.7 as far off."""
    random, memory, ids = np.random.default_rng(0), DifficultyMemory(), np.arange(500)
    for visit, rate in enumerate(np.linspace(0.1, 0.9, 10)):
        parts = np.split(random.permutation(ids), 10)
        for number, part in enumerate(parts):
            if visit > 1 and number == 5:
                waiting = memory.rows(np.concatenate(parts[5:]))
                last = memory.prompts["last_pass_rate"][waiting].mean()
                assert abs(memory.predict(waiting).mean.mean() - rate) < 0.7 * abs(last - rate)
            successes = random.binomial(8, rate, len(part)).astype(float)
            memory.observe(part, ["math"] * len(part), successes, np.full(len(part), 8.0), 10 * visit + number)


def test_a_million_prompts_need_30_megabytes():
    assert sum(np.dtype(dtype).itemsize for dtype in COLUMNS.values()) == 30


def test_levels_of_all_rates_are_within_the_table():
    """One prompt at each rate k / 8; each is its own kin's first."""
    memory = observed({k: (k, 8) for k in range(9)}, {k: (k, 8) for k in range(9)})
    assert (memory.kin[0, : LEVELS + 1, 0] > 0).sum() == 9
    assert memory.kin[0, LEVELS + 1, 0] == 9 * 8
