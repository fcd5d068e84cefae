"""verl's own replay buffers with DARO's eye on them; only TransferQueue is a stand-in."""

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

    def __init__(self, successes: list[int | None], prefix: str = "p") -> None:
        self.tags: dict[str, dict] = {}
        for age, right in enumerate(successes):
            uid = f"{prefix}{len(self.tags)}"
            self.tags[uid] = {"is_prompt": True, "status": "finished", "global_steps": age}
            for session in range(G):
                rate = {} if right is None else {"daro_pass_rate": right / G}
                self.tags[f"{uid}_{session}_0"] = {"reward": session < (right or 0), **rate}

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


def buffer(successes: list[int | None], monkeypatch, *, balance: bool, cls: type = ReplayBuffer):
    queue = Queue(successes)
    monkeypatch.setattr(replay_buffer, "tq", queue)
    made = cls(
        trainer_mode="sync",
        trainer_config=OmegaConf.create({}),
        max_off_policy_threshold=None,
        max_off_policy_strategy="drop",
        sampler_kwargs=OmegaConf.create({}),
        poll_interval=0.0,
        refill_fn=lambda num_prompts: num_prompts,
        filter_groups_metric="acc",
        train_batch_size=len(successes),
        gen_batch_size=1,
    )
    DifficultySampling(G).attach(made, balance)
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


def test_groups_without_a_pass_rate_come_last(monkeypatch):
    made, _ = buffer([None, 1, 2], monkeypatch, balance=True)
    made.filter_groups_metric = None
    assert sampled(made, 2)[0] == [1, 2]


def test_validation_is_left_alone(monkeypatch):
    made, _ = buffer([1], monkeypatch, balance=True)
    made.partitions["val"] = {}
    assert made._select_prompt_uids("val", {"a", "b"}, 1)[0] in (["a"], ["b"])
    assert SimpleNamespace(**step_log.drain()) == SimpleNamespace()
