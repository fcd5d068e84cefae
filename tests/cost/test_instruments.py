"""The instruments of ``benchmarks/cost`` on things whose answer is known. No test looks at a time."""

import pytest
import torch
import torch.distributed as dist

from benchmarks.cost.aims import Aim
from benchmarks.cost.loss import one_rank
from benchmarks.cost.memory import peak_bytes
from benchmarks.cost.timing import compare, interleave
from benchmarks.cost.watching import Watch

MIB = 2**20


@pytest.fixture(autouse=True)
def _alone():
    with one_rank():
        yield


def floats(num_mib: int) -> torch.Tensor:
    return torch.ones(num_mib * MIB // 4)


def test_the_memory_meter_sees_the_peak_and_not_the_sum():
    def one_after_the_other():
        floats(8)
        floats(8)

    def both_at_once():
        return floats(8), floats(8)

    assert peak_bytes(one_after_the_other) == pytest.approx(8 * MIB, abs=MIB // 16)
    assert peak_bytes(both_at_once) == pytest.approx(16 * MIB, abs=MIB // 16)


def test_the_memory_meter_sees_what_autograd_keeps():
    leaf = floats(4).requires_grad_()
    # the exponential keeps its result for its gradient: that, the gradient of the sum and the leaf's
    assert peak_bytes(lambda: leaf.exp().sum().backward()) >= 8 * MIB


def test_collectives_are_counted_with_their_size():
    values = torch.zeros(9, dtype=torch.float64)
    with Watch() as watch:
        dist.all_reduce(values)
        dist.all_reduce(values[:4])
        dist.broadcast(values[:1], src=0)
    assert watch.collectives == {"allreduce": [72, 32], "broadcast": [8]}


def test_collectives_outside_do_not_count():
    dist.all_reduce(torch.zeros(3))
    with Watch() as watch:
        torch.zeros(3).sum()
    assert watch.collectives == {} and watch.num_reads == 0


@pytest.mark.parametrize("read", [torch.Tensor.item, bool, float, torch.Tensor.nonzero], ids=str)
def test_reads_of_a_value_are_counted(read):
    value = torch.tensor(1.0)
    with Watch() as watch:
        read(value)
    assert watch.num_reads == 1


def test_every_function_is_first_in_turn():
    order = []
    seconds = interleave({name: lambda name=name: order.append(name) for name in "abc"}, rounds=3, warm_up=0)
    assert "".join(order) == "abcbcacab"
    assert [len(values) for values in seconds.values()] == [3, 3, 3]


def test_ratios_are_of_medians_and_by_round():
    row = compare({"a": [2.0, 4.0, 9.0], "b": [1.0, 4.0, 3.0]}, "a", "b")
    assert row["ratio"] == pytest.approx(4 / 3)
    assert row["ratio by round"] == 2  # of 2, 1 and 3


def test_an_aim_without_a_figure_is_not_met():
    assert [Aim("x", value, 1.0).verdict for value in (None, 1.0, 1.1)] == ["not run", "met", "not met"]
