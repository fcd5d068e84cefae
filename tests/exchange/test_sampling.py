"""verl's own replay buffers with DARO's eye on them; only TransferQueue is a stand-in."""

import random
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf
from verl.trainer.ppo.v1 import replay_buffer
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer, ReplayBufferAsync

from daro_verl.rollout import exchange, step_log
from daro_verl.rollout.sampling import DifficultySampling
from tests.exchange.snapshots import snapshot

G = 4


class Queue:
    """TransferQueue with finished groups of ``G`` responses: pass rates in the order in which they were submitted."""

    def __init__(self, successes: list[int | None], prefix: str = "p", outputs: int = 1) -> None:
        self.tags: dict[str, dict] = {}
        for age, right in enumerate(successes):
            self.add(f"{prefix}{len(self.tags)}", right, age, outputs)

    def add(self, uid: str, right: int | None, age: int, outputs: int = 1) -> None:
        """A finished group, each session with so many outputs."""
        self.tags[uid] = {"is_prompt": True, "status": "finished", "global_steps": age}
        rate = {} if right is None else {"daro_pass_rate": right / G}
        for session in range(G):
            for index in range(outputs):
                self.tags[f"{uid}_{session}_{index}"] = {"reward": session < (right or 0), **rate}

    def kv_list(self) -> dict:
        return {"train": {key: dict(tag) for key, tag in self.tags.items()}}

    def kv_clear(self, partition_id: str, keys: list[str]) -> None:
        for key in keys:
            self.tags.pop(key, None)

    def kv_batch_get(self, keys: list[str], **_) -> dict:
        infos = [{"reward_extra_info": {"acc": float(self.tags[key]["reward"])}} for key in keys]
        return {"extra_fields": infos}


@pytest.fixture(autouse=True)
def nothing_sent(monkeypatch):
    monkeypatch.setattr(exchange, "_sent", {})
    step_log.drain()


def refill_with_nothing(num_prompts: int) -> int:
    return num_prompts


def buffer(
    queue: Queue | list[int | None],
    monkeypatch,
    *,
    balance: bool,
    cls: type = ReplayBuffer,
    patience: int | None = None,
    refill: Callable[[int], int] = refill_with_nothing,
):
    queue = Queue(queue) if isinstance(queue, list) else queue
    monkeypatch.setattr(replay_buffer, "tq", queue)
    made = cls(
        trainer_mode="sync",
        trainer_config=OmegaConf.create({}),
        max_off_policy_threshold=None,
        max_off_policy_strategy="drop",
        sampler_kwargs=OmegaConf.create({}),
        poll_interval=0.0,
        refill_fn=refill,
        filter_groups_metric="acc",
        train_batch_size=8,
        gen_batch_size=1,
    )
    DifficultySampling(G).attach(made, balance, patience)
    return made, queue


def sampled(made: ReplayBuffer, num: int) -> tuple[list[int], dict[str, float]]:
    """Successes of the groups that were sampled, in order, and the metrics."""
    batch, _ = made.sample(global_steps=1, partition_id="train", batch_size=num)
    rates = {key.split("_")[0]: tag.get("daro_pass_rate") for key, tag in zip(batch.keys, batch.tags, strict=True)}
    return sorted(-1 if rate is None else round(rate * G) for rate in rates.values()), step_log.drain()


MANY = [1, 1, 1, 1, 0, 4, 2, 1, 3]


@pytest.mark.parametrize("cls", [ReplayBuffer, ReplayBufferAsync])
def test_the_oldest_groups_are_kept_without_and_balanced_ones_with_the_option(cls, monkeypatch):
    plain, _ = buffer(MANY, monkeypatch, balance=False, cls=cls)
    assert sampled(plain, 4)[0] == [1, 1, 1, 1]
    balanced, _ = buffer(MANY, monkeypatch, balance=True, cls=cls)
    assert sampled(balanced, 4)[0] == [1, 1, 2, 3]


def test_the_weights_that_were_sent_last_decide_between_bins(monkeypatch):
    made, _ = buffer([1, 2, 3], monkeypatch, balance=True)
    monkeypatch.setattr(exchange, "_sent", {0: snapshot(0, weights=(1.0, 2.0, 3.0))})
    assert sampled(made, 2)[0] == [2, 3]


def test_shares_at_the_source_and_what_is_thrown_away(monkeypatch):
    made, queue = buffer(MANY, monkeypatch, balance=True)
    _, metrics = sampled(made, 4)
    assert metrics["daro/source/num_prompts"] == 9
    shares = [metrics[f"daro/source/{k}of4"] for k in range(G + 1)]
    assert shares == pytest.approx([1 / 9, 5 / 9, 1 / 9, 1 / 9, 1 / 9])
    assert metrics["daro/responses/generated"] == 9 * G
    assert metrics["daro/responses/discarded"] == 5 * G  # two without a signal, three of the surplus
    queue.tags.update(Queue([2, 2], prefix="q").tags)
    _, metrics = sampled(made, 2)
    assert metrics["daro/responses/generated"] == 2 * G and metrics["daro/responses/generated_so_far"] == 11 * G
    assert metrics["daro/responses/discarded"] == 0 and metrics["daro/responses/discarded_so_far"] == 5 * G


def test_groups_are_counted_once_however_often_the_buffer_looks(monkeypatch):
    made, _ = buffer([1, 2], monkeypatch, balance=False)
    for _ in range(3):
        made._sync_metadata_from_transfer_queue()
    assert step_log.drain()["daro/responses/generated"] == 2 * G


def test_a_session_of_two_outputs_is_one_response(monkeypatch):
    made, _ = buffer(Queue([1, 0, 2], outputs=2), monkeypatch, balance=False)
    _, metrics = sampled(made, 2)
    assert metrics["daro/responses/generated"] == 3 * G and metrics["daro/responses/discarded"] == G


def test_responses_that_are_scored_later_count_as_generated_too(monkeypatch):
    """A reward model that shares the trainer's devices: no pass rate at the source, no filter."""
    made, _ = buffer([None, None, None], monkeypatch, balance=False)
    made.filter_groups_metric = None
    _, metrics = sampled(made, 2)
    assert metrics["daro/responses/generated"] == 3 * G and metrics["daro/source/num_prompts"] == 0
    made._clear_groups("train", set(made.finished_keys["train"]) - {"p0", "p5"})
    assert step_log.drain()["daro/responses/discarded"] == G


def composition(monkeypatch, *, balance: bool, patience: int | None) -> tuple[Counter, dict[str, float]]:
    """Bins that 100 samples of 4 got from verl's asynchronous buffer, after 50 more, and the counts of all 150.

    It starts with 8 groups more than a sample, and what was taken or discarded is generated again: bin 1 five times as
    often as 2 and 3, and as many groups without a signal.
    """
    rng, queue = random.Random(0), Queue([])
    step = 0

    def refill(num_prompts: int) -> int:
        for _ in range(num_prompts):
            queue.add(f"u{next(numbers)}", rng.choice([0, 1, 1, 1, 1, 1, 2, 3]), step)
        return num_prompts

    numbers = iter(range(100000))
    made, _ = buffer(queue, monkeypatch, balance=balance, cls=ReplayBufferAsync, patience=patience, refill=refill)
    refill(8)
    bins, totals = Counter(), Counter()
    for step in range(150):
        refill(4)  # the trainer, before each step
        got, metrics = sampled(made, 4)
        assert len(got) == 4
        bins.update(got if step >= 50 else [])
        totals.update({name: value for name, value in metrics.items() if name.startswith("daro/responses/")})
        totals["left"] = len(made.finished_keys["train"]) - 4
    return bins, totals


def test_an_asynchronous_buffer_hands_out_in_the_end_what_it_keeps(monkeypatch):
    """So that choosing alone changes nothing, and what is passed over for a whole step gives way to new prompts."""
    plain, _ = composition(monkeypatch, balance=False, patience=None)
    kept, _ = composition(monkeypatch, balance=True, patience=None)
    replaced, totals = composition(monkeypatch, balance=True, patience=1)
    # 5/7, 1/7 and 1/7 of 400; a choice alone takes the scarce ones earlier and not more often
    assert 250 < plain[1] < 320 and abs(kept[1] - plain[1]) < 30
    # of 12 groups with a signal one or more is of bin 2 in 1 - (6/7)^12 = 84 % of the samples, the same for bin 3
    assert min(replaced[2], replaced[3]) > 80 > 70 > max(plain[2], plain[3], kept[2], kept[3])
    generated, discarded = (totals[f"daro/responses/{name}"] / G for name in ("generated", "discarded"))
    assert generated == 150 * 4 + discarded + totals["left"] and discarded > 300


def test_a_group_may_be_passed_over_for_a_step_of_several_samples(monkeypatch):
    made, queue = buffer([1, 1, 1, 2, 3], monkeypatch, balance=True, cls=ReplayBufferAsync, patience=2)
    assert sampled(made, 3)[0] == [1, 2, 3]
    queue.tags.update(Queue([2, 3, 1], prefix="q").tags)
    # p5 is older than q10: passed over once, it is chosen; p10 for the second time
    rates, metrics = sampled(made, 3)
    assert rates == [1, 2, 3] and metrics["daro/responses/discarded"] == G
    assert "q10" in queue.tags and "p10" not in queue.tags


def test_groups_without_a_pass_rate_come_last(monkeypatch):
    made, _ = buffer([None, 1, 2], monkeypatch, balance=True)
    made.filter_groups_metric = None
    assert sampled(made, 2)[0] == [1, 2]


def test_validation_is_left_alone(monkeypatch):
    made, _ = buffer([1], monkeypatch, balance=True)
    made.partitions["val"] = {}
    assert made._select_prompt_uids("val", {"a", "b"}, 1)[0] in (["a"], ["b"])
    assert SimpleNamespace(**step_log.drain()) == SimpleNamespace()
