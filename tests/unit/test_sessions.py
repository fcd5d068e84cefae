"""Multi-output agent loops: a session counts once in its prompt's pass rate, all of its outputs train."""

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from daro_verl.advantage import compute_daro_advantage, final_rows, find_weighting
from daro_verl.advantage.estimator import prompt_groups
from daro_verl.advantage.in_verl import estimate_advantage

# Prompt "a", four sessions: session 0 has three outputs and is right, sessions 1 to 3 have one output and are wrong.
# Rows are in any order. mu = 1/4 (by rows it would be 3/6), mean reward 1/4.
KEYS = ["a_0_1", "a_1_0", "a_0_2", "a_2_0", "a_0_0", "a_3_0"]
REWARDS = [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]  # only the last output of session 0 has the reward
MASK = torch.tensor([[1, 1], [1, 0], [1, 1], [1, 1], [0, 1], [1, 0]])
INDEX = np.array(["a"] * 6, dtype=object)
OPTIONS = {"weighting": "learned", "success_threshold": 0.5}


def rewards(values: list[float]) -> torch.Tensor:
    return torch.stack([torch.tensor(values), torch.zeros(len(values))], dim=1)


def estimated(**kwargs):
    return compute_daro_advantage(rewards(REWARDS), MASK, INDEX, find_weighting("learned"), **kwargs)


def test_the_last_output_stands_for_its_session():
    assert final_rows(KEYS).tolist() == [2, 1, 2, 3, 2, 5]
    assert final_rows(["pad0_0_0", "pad0_1_0", "u_0_10", "u_0_9"]).tolist() == [0, 1, 2, 2]


def test_single_outputs_need_no_rows():
    """verl's keys are unique, and its padding's are of the same form: sessions of one output each."""
    assert final_rows(["a_0_0", "a_1_0", "pad0_0_0", "pad0_1_0"]) is None
    assert final_rows(["a_0_0", "a_1_10"]).tolist() == [0, 1]  # output 10 is not output 0


@pytest.mark.parametrize("key", ["a", "a_0_x", "_1"])
def test_a_key_of_another_form_is_an_error(key):
    with pytest.raises(ValueError, match="expected <uid>_<session>_<index"):
        final_rows([key])


def test_a_session_counts_once_and_all_its_outputs_get_its_advantage():
    groups = prompt_groups(rewards(REWARDS), MASK, INDEX, 0.5, final_row=final_rows(KEYS))
    assert groups.num_responses.tolist() == [4.0] and groups.pass_rate.tolist() == [0.25]
    advantages, returns = estimated(final_row=final_rows(KEYS))
    # session 0: 1 - 1/4 on the tokens of its three outputs; the others 0 - 1/4; nothing where the mask is 0
    expected = torch.tensor([0.75, -0.25, 0.75, -0.25, 0.75, -0.25]).unsqueeze(-1) * MASK
    assert torch.equal(advantages, expected)
    # one session of four: the pass rate, negative on the outputs of those that failed
    assert torch.equal(returns, torch.tensor([0.25, -0.25, 0.25, -0.25, 0.25, -0.25]).unsqueeze(-1) * MASK)


def test_an_output_without_tokens_does_not_remove_its_session():
    """The last output is fully masked (rejected): the session's other outputs still carry it."""
    mask = MASK.clone()
    mask[2] = 0
    groups = prompt_groups(rewards(REWARDS), mask, INDEX, 0.5, final_row=final_rows(KEYS))
    assert groups.pass_rate.tolist() == [0.25]
    mask[0] = mask[4] = 0  # now the session has no token at all: three sessions are left, none right
    groups = prompt_groups(rewards(REWARDS), mask, INDEX, 0.5, final_row=final_rows(KEYS))
    assert groups.num_responses.tolist() == [3.0] and groups.pass_rate.tolist() == [0.0]


def test_single_outputs_are_the_plain_case():
    plain, once = estimated(), estimated(final_row=torch.arange(6))
    assert all(torch.equal(a, b) for a, b in zip(plain, once, strict=True))


@pytest.mark.parametrize("estimator", ["daro", "grpo"])
def test_through_verls_own_function(estimator):
    """verl dedupes sessions for ``grpo`` alone; the seam does it for ``daro`` and leaves ``grpo`` to verl."""
    from verl import DataProto
    from verl.trainer.ppo.v1 import utils

    reward = rewards(REWARDS)
    data = DataProto.from_dict(
        tensors={"token_level_rewards": reward, "response_mask": MASK}, non_tensors={"uid": INDEX.copy()}
    )
    config = OmegaConf.create({"daro": {**OPTIONS, "num_rollouts": 4}})
    data = utils.compute_advantage_for_multi_trajectories(
        data, batch_keys=KEYS, adv_estimator=estimator, config=config, norm_adv_by_std_in_grpo=False
    )
    first = data.batch["advantages"].sum(-1) / MASK.sum(-1)
    assert first.tolist() == [0.75, -0.25, 0.75, -0.25, 0.75, -0.25]
    if estimator == "daro":  # mu = 1/4 by sessions
        assert data.batch["returns"].abs().amax().item() == 0.25


def test_a_multi_turn_response_trains_only_on_its_own_turns():
    """Tool output in the middle of a response is masked: zeros there, the same bin on both of its turns."""
    mask = torch.tensor([[1, 0, 0, 1], [1, 1, 0, 0]])
    reward = torch.tensor([[0.0, 0, 0, 1], [0, 0, 0, 0]])
    advantages, returns = estimate_advantage(
        reward, mask, np.array(["a", "a"]), OmegaConf.create({"daro": {**OPTIONS, "num_rollouts": 2}})
    )
    assert advantages.tolist() == [[0.5, 0, 0, 0.5], [-0.5, -0.5, 0, 0]]
    assert returns.tolist() == [[0.5, 0, 0, 0.5], [-0.5, -0.5, 0, 0]]
