"""The calls that the part ``advantage`` times: verl's own way to the estimator, and keys as verl makes them."""

import pytest
import torch

from benchmarks.cost import advantage
from daro_verl.advantage import final_rows


def test_keys_of_sessions_with_one_and_with_two_outputs():
    index = ["a", "b", "a", "a", "a", "b"]
    assert advantage.keys_of(index) == ["a_0_0", "b_0_0", "a_1_0", "a_2_0", "a_3_0", "b_1_0"]
    keys = advantage.keys_of(index, several_outputs=True)
    assert keys == ["a_0_0", "b_0_0", "a_0_1", "a_1_0", "a_2_0", "b_0_1"]
    assert final_rows(keys).tolist() == [2, 5, 2, 3, 4, 5]


@pytest.mark.parametrize("estimator", advantage.ESTIMATORS)
def test_both_calls_compute_the_same(estimator):
    plain = advantage.functions_of("plain", 64, 5)[estimator]()[0]
    assert torch.equal(plain, advantage.functions_of("in V1", 64, 5)[estimator]().batch["advantages"])


def test_daro_in_v1_goes_by_the_keys():
    one, several = (advantage.functions_of(call, 64, 5)["daro"]().batch["returns"] for call in advantage.CALLS[1:])
    assert not torch.equal(one, several)
