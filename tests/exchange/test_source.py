"""Pass rates where responses are scored, and the trainer's check."""

import math
from types import SimpleNamespace

import pytest

from daro_verl.errors import DaroSeamError
from daro_verl.rollout.source import SourceGroup, check_against_source


def output(reward: float | None, version: int | None = 7, tokens: int = 2) -> SimpleNamespace:
    return SimpleNamespace(
        reward_score=reward, response_mask=[1] * tokens, extra_fields={"daro_weight_version": version}
    )


def group(*sessions, num_sessions: int | None = None) -> SourceGroup:
    """A prompt ``u`` whose sessions are an output, a list of outputs, or None for one that failed."""
    group = SourceGroup(num_sessions or len(sessions))
    for number, outputs in enumerate(sessions):
        if outputs is not None:
            group.add(f"u_{number}", outputs if isinstance(outputs, list) else [outputs])
        assert group.settle_one() == (number + 1 == group.num_sessions)
    return group


def only(tags: dict[str, dict]) -> dict:
    """What all trajectories of a prompt share."""
    (shared,) = {tuple(sorted(tag.items())) for tag in tags.values()}
    return dict(shared)


def test_every_trajectory_carries_its_prompts_pass_rate_and_its_version():
    tags = group(output(1.0), output(0.0, version=8), output(0.0), output(1.0)).tags(0.5)
    assert list(tags) == ["u_0_0", "u_1_0", "u_2_0", "u_3_0"]
    assert tags["u_0_0"] == {"daro_weight_version": 7, "daro_pass_rate": 0.5, "daro_num_responses": 4}
    assert tags["u_1_0"] == {"daro_weight_version": 8, "daro_pass_rate": 0.5, "daro_num_responses": 4}


DEGENERATE = {
    "nothing solved": ([output(0.0), output(-1.0)], 0.0, 2),
    "everything solved": ([output(1.0), output(1.0)], 1.0, 2),
    "a session that failed": ([output(1.0), None, output(0.0)], 0.5, 2),
    "a reward that is not finite": ([output(1.0), output(math.nan), output(math.inf)], 1.0, 1),
    "a response without tokens": ([output(1.0), output(0.0, tokens=0)], 1.0, 1),
    "no valid response": ([output(math.nan), output(math.nan)], None, 0),
    "a session of two outputs": ([[output(0.0), output(1.0)], output(0.0)], 0.5, 2),
    "as float32 stores it": ([output(0.5 + 1e-12), output(1.0)], 0.5, 2),
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_prompts(case):
    sessions, rate, number = DEGENERATE[case]
    shared = only(group(*sessions).tags(0.5))
    assert (shared["daro_pass_rate"], shared["daro_num_responses"]) == (rate, number)


def test_no_pass_rate_before_all_responses_are_scored():
    assert only(group(output(1.0), output(None)).tags(0.5)) == {"daro_weight_version": 7}


def test_a_prompt_whose_sessions_all_failed_has_no_trajectories_to_tag():
    assert group(None, None).tags(0.5) == {}


TAGS = [{"daro_pass_rate": 0.25, "daro_num_responses": 4}]


def test_the_trainer_agrees():
    check_against_source(["u_0_0"], TAGS, {"u": (0.25, 4)})
    check_against_source(["u_0_0"], [{"daro_pass_rate": None, "daro_num_responses": 0}], {"u": (math.nan, 0)})
    check_against_source(["u_0_0", "v_0_0"], [{}, *TAGS], {"u": (0.25, 4)})  # not scored at the source; not trained on
    check_against_source(["u_0_0"], [{**TAGS[0], "is_padding": True}], {"u": (math.nan, 0)})


@pytest.mark.parametrize("own", [(0.5, 4), (0.25, 3), (math.nan, 4)])
def test_a_mismatch_names_both_numbers(own):
    with pytest.raises(DaroSeamError, match=f"got 'pass rate 0.25 of 4 .* own {own[0]} of {own[1]}"):
        check_against_source(["u_0_0"], TAGS, {"u": own})
