"""The instruments of ``benchmarks/cost`` on things whose answer is known. No test looks at a time."""

import pytest
import torch
import torch.distributed as dist

from benchmarks.cost.aims import Aim, largest_ratio
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


READS = {
    "item": torch.Tensor.item,
    "bool": bool,
    "float": float,
    "nonzero": torch.Tensor.nonzero,
    "where": torch.where,
    "equal": lambda value: torch.equal(value, value + 1),
    "masked_select": lambda value: value.masked_select(value > 0),
    "index by a mask": lambda value: value[value > 0],
    "assignment by a mask": lambda value: value.__setitem__(value > 0, 2.0),
    "unique": torch.unique,
    "bincount": lambda value: torch.bincount(value.long()),
    "repeat_interleave": lambda value: value.repeat_interleave(torch.tensor([2])),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_reads_of_a_value_are_counted(read):
    with Watch() as watch:
        read(torch.tensor([1.0]))
    assert watch.num_reads == 1


def test_what_needs_no_value_is_no_read():
    value = torch.ones(3)
    with Watch() as watch:
        value[torch.tensor([0, 2])]
        value.repeat_interleave(torch.tensor([1, 0, 2]), output_size=3)
        value.double()
        torch.where(value > 0, value, 0.0)
    assert watch.num_reads == 0


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


def test_an_aim_between_the_quartiles_is_not_resolved():
    assert Aim("x", 1.02, 1.01, [0.99, 1.05]).verdict == Aim("x", 1.0, 1.01, [0.99, 1.05]).verdict == "not resolved"
    assert Aim("x", 1.1, 1.01, [1.05, 1.2]).verdict == "not met"
    assert Aim("x", 0.9, 1.01, [0.8, 1.0]).verdict == "met"


def test_the_largest_ratio_comes_with_the_quartiles_of_its_row():
    rows = [{"ratio": 1.0, "quartiles": [0.5, 1.5]}, {"ratio": 1.2, "quartiles": [1.1, 1.3]}]
    assert largest_ratio("x", rows, 1.1) == Aim("x", 1.2, 1.1, [1.1, 1.3])
    assert largest_ratio("x", [], 1.1) == Aim("x", None, 1.1)
