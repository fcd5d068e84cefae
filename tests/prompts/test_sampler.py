"""The order of the prompts: passes, what is left out, and going on where a job stopped."""

from itertools import islice

import numpy as np
import pytest

from daro_verl.errors import DaroCheckpointError
from daro_verl.prompts.sampler import PromptSampler
from daro_verl.resume import check_data_order


def sampler(num_prompts=1000, accept=lambda positions: np.ones(len(positions)), version=lambda: 0, **kwargs):
    return PromptSampler(num_prompts, accept, version, **kwargs)


def take(iterator, number):
    return list(islice(iterator, number))


def test_a_pass_has_every_prompt_once_and_the_next_another_order():
    prompts = iter(sampler(num_prompts=700))
    first, second = take(prompts, 700), take(prompts, 700)
    assert sorted(first) == sorted(second) == list(range(700))
    assert first != second
    assert take(iter(sampler(num_prompts=700)), 700) == first
    assert take(iter(sampler(num_prompts=700, seed=1)), 700) != first


def test_prompts_are_accepted_as_often_as_their_probability_says():
    """Probability 0.1 for even positions: of 40,000 in 40 passes 4,000 +- 60. All odd ones come, 40 times each."""
    prompts = iter(sampler(2000, lambda positions: np.where(positions % 2, 1.0, 0.1)))
    seen = []
    while prompts.number < 40:
        seen.append(next(prompts))
    counts = np.bincount(seen[:-1], minlength=2000)
    assert (counts[1::2] == 40).all()
    assert counts[::2].sum() == pytest.approx(4000, abs=4 * 60)


def test_what_is_left_out_is_counted():
    skipped = []
    prompts = iter(sampler(1000, lambda positions: (positions % 10 == 0) * 1.0, on_skip=skipped.append))
    take(prompts, 100)
    take(prompts, 1)
    assert 900 <= sum(skipped) <= 1000 + 900  # those after the last accepted one of a pass are counted with the next


def test_acceptance_is_computed_anew_once_something_has_changed_and_only_then():
    calls, version, accepted = [], 0, 1.0

    def accept(positions):
        calls.append(len(positions))
        return np.full(len(positions), accepted)

    prompts = iter(sampler(512, accept, lambda: version))
    take(prompts, 100)
    assert calls == [256]
    version, accepted = 1, 0.5
    assert len(take(prompts, 156)) == 156
    assert calls == [256, 256, 256]


@pytest.mark.parametrize("stop", [0, 1, 255, 256, 300, 1234])
def test_a_resumed_job_goes_on_with_the_same_prompts(stop):
    """Probabilities depend on a memory; where it is the same, so are the prompts, wherever the job stopped."""
    accept = lambda positions: 0.3 + 0.5 * (positions % 3 == 0)  # noqa: E731
    whole = take(iter(sampler(500, accept)), 2000)
    first = iter(sampler(500, accept))
    assert take(first, stop) == whole[:stop]
    second = iter(sampler(500, accept))
    second.load_state_dict(first.state_dict())
    assert take(second, 2000 - stop) == whole[stop:]


@pytest.mark.parametrize(("num_prompts", "data"), [(600, "one"), (500, "another of the same size")])
def test_another_data_set_begins_with_a_new_pass(num_prompts, data):
    first = iter(sampler(500, data="one"))
    take(first, 20)
    second = iter(sampler(num_prompts, data=data))
    second.load_state_dict(first.state_dict())
    assert (second.number, second.place) == (1, 0)
    assert sorted(take(second, num_prompts)) == list(range(num_prompts))


def test_a_state_of_an_earlier_version_does_not_know_its_data_set():
    first = iter(sampler(500))
    take(first, 20)
    second = iter(sampler(500, data="one"))
    second.load_state_dict({name: value for name, value in first.state_dict().items() if name != "data"})
    assert (second.number, second.place) == (0, 20)


def test_a_state_of_verls_own_sampler_is_refused():
    with pytest.raises(DaroCheckpointError, match="prompts=uniform"):
        iter(sampler()).load_state_dict({"generator": None, "yielded": 3})


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_position_of_the_other_order_is_refused_before_any_worker_starts(num_workers, tmp_path):
    """As verl saves them; its loaders differ by the number of worker processes, and DARO's has none."""
    import torch
    from torchdata.stateful_dataloader import StatefulDataLoader
    from torchdata.stateful_dataloader.sampler import RandomSampler

    def save(name, order, workers):
        loader = StatefulDataLoader(range(64), batch_size=8, sampler=order, num_workers=workers)
        next(iter(loader))
        (tmp_path / name).mkdir()
        torch.save(loader.state_dict(), tmp_path / name / "data.pt")

    save("verl's", RandomSampler(range(64)), num_workers)
    save("chosen", sampler(64), 0)
    check_data_order(tmp_path / "verl's", is_chosen=False)
    check_data_order(tmp_path / "chosen", is_chosen=True)
    check_data_order(tmp_path / "nothing saved", is_chosen=True)
    with pytest.raises(DaroCheckpointError, match="got \"a place in verl's order .* or delete .*data.pt"):
        check_data_order(tmp_path / "verl's", is_chosen=True)
    with pytest.raises(DaroCheckpointError, match="got 'a place in the order of chosen prompts', expected a place in"):
        check_data_order(tmp_path / "chosen", is_chosen=False)


def test_in_verls_data_loader():
    """torchdata's loader, as verl makes it without worker processes: batches go on after a checkpoint."""
    from torchdata.stateful_dataloader import StatefulDataLoader

    def loader():
        prompts = sampler(64, lambda positions: np.full(len(positions), 0.5))
        return StatefulDataLoader(range(64), batch_size=8, sampler=prompts, num_workers=0, drop_last=True)

    whole = [batch.tolist() for batch in islice(iter(loader()), 20)]
    first = loader()
    assert [batch.tolist() for batch in islice(iter(first), 7)] == whole[:7]
    second = loader()
    second.load_state_dict(first.state_dict())
    assert [batch.tolist() for batch in islice(iter(second), 13)] == whole[7:]
