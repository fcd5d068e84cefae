"""verl's own replay buffers that count; only TransferQueue is a stand-in."""

import math
from collections import Counter
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf, open_dict
from verl.trainer.ppo.v1 import replay_buffer
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer, ReplayBufferAsync
from verl.trainer.ppo.v1.trainer_base import PPOTrainer
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync
from verl.trainer.ppo.v1.utils import MetricsAggregator

from daro_verl.config import DaroConfig
from daro_verl.errors import DaroConfigError, DaroDataError
from daro_verl.prompts.identity import prompt_id
from daro_verl.rollout import sampling
from daro_verl.rollout.sampler_settings import sampler_settings
from daro_verl.rollout.sampling import DifficultyReplayBuffer, DifficultyReplayBufferAsync
from tests.unit.jobs import compose_job

G = 4
OPTIONS = DaroConfig(success_threshold=0.5)


class Queue:
    """TransferQueue with the groups that were put there, and what was asked of it."""

    def __init__(self, successes: list[int | None] = (), prefix: str = "p", outputs: int = 1) -> None:
        self.tags: dict[str, dict] = {}
        self.rewards: dict[str, float] = {}
        self.asked: list[str] = []
        for age, right in enumerate(successes):
            rewards = [float(session < (right or 0)) for session in range(G)]
            self.add(f"{prefix}{len(self.tags)}", [[reward] * outputs for reward in rewards], age=age)

    def add(self, uid: str, sessions: list[list[float] | None], age: int = 0, status: str = "finished", **tag) -> None:
        """A group that has ended: rewards of the outputs of each session; None is a session that failed."""
        self.tags[uid] = {"is_prompt": True, "status": status, "global_steps": age}
        for session, outputs in enumerate(sessions):
            for index, reward in enumerate(outputs or []):
                key = f"{uid}_{session}_{index}"
                self.tags[key], self.rewards[key] = {"response_len": 2, **tag}, reward

    def kv_list(self) -> dict:
        return {"train": {key: dict(tag) for key, tag in self.tags.items()}}

    def kv_clear(self, partition_id: str, keys: list[str]) -> None:
        for key in keys:
            self.tags.pop(key, None)

    def kv_batch_get(self, keys: list[str], partition_id: str, select_fields: list[str]) -> dict:
        assert partition_id == "train"
        if "raw_prompt" in select_fields:
            uids = [key.split("_")[0] for key in keys]
            chats = [[{"role": "user", "content": uid}] for uid in uids]
            return {"data_source": ["math"] * len(keys), "raw_prompt": chats, "extra_info": [{}] * len(keys)}
        if select_fields == ["rm_scores"]:
            self.asked += keys
            rows = [torch.tensor([0.0] * age + [self.rewards[key]]) for age, key in enumerate(keys)]
            return {"rm_scores": torch.nested.as_nested_tensor(rows, layout=torch.jagged)}
        return {"extra_fields": [{"reward_extra_info": {"acc": self.rewards[key]}} for key in keys]}


CLASSES = {
    "sync": (ReplayBuffer, DifficultyReplayBuffer),
    "colocate_async": (ReplayBufferAsync, DifficultyReplayBufferAsync),
}


def arguments(trainer_mode: str, steps: int = 1) -> dict:
    """What verl gives to any replay buffer."""
    return {
        "trainer_mode": trainer_mode,
        "trainer_config": OmegaConf.create({"parameter_sync_step": steps} if steps > 1 else {}),
        "max_off_policy_threshold": None,
        "max_off_policy_strategy": "drop",
        "refill_fn": lambda num_prompts: num_prompts,
    }


def buffer(
    queue: Queue,
    monkeypatch,
    *,
    mode: str = "sync",
    steps: int = 1,
    metric: str | None = "acc",
    scored: bool = True,
    resumed: Path | None = None,
) -> DifficultyReplayBuffer:
    """DARO's buffer, as verl makes it: the settings of dynamic sampling are in ``sampler_kwargs`` only."""
    for module in (replay_buffer, sampling):
        monkeypatch.setattr(module, "tq", queue)
    from_checkpoint = {"resumed": str(resumed) if resumed else None, "step": 1 if resumed else 0}
    own = {
        "num_rollouts": G,
        "success_threshold": 0.5,
        "metrics": "all",
        "scored_at_source": scored,
        "prompt_memory": {"folder": f"job {next(JOBS_SO_FAR)}", "train_files": [], **from_checkpoint},
        "buffer": {"filter_groups_metric": metric, **BUFFER},
    }
    given = OmegaConf.create({"daro": own})
    return CLASSES[mode][1](sampler_kwargs=given, **arguments(mode, steps))


JOBS_SO_FAR = count()
BUFFER = {"train_batch_size": 8, "gen_batch_size": 1}
MANY = [1, 1, 1, 1, 0, 4, 2, 1, 3]


def sampled(made: ReplayBuffer, num: int) -> dict[str, float]:
    """DARO's metrics of one sample."""
    _, metrics = made.sample(global_steps=1, partition_id="train", batch_size=num)
    return {name: value for name, value in metrics.items() if name.startswith("daro/")}


def test_a_reward_that_is_none_is_named(monkeypatch):
    """verl leaves ``rm_scores`` out, which ends as a KeyError in the middle of TransferQueue."""
    queue = Queue([1])
    made = buffer(queue, monkeypatch, metric=None)
    monkeypatch.setattr(queue, "kv_batch_get", lambda **_: {})
    with pytest.raises(DaroDataError, match="reward: got None, expected a number for each response.*Fix: let"):
        made.sample(global_steps=1, partition_id="train", batch_size=1)


@pytest.mark.parametrize("mode", CLASSES)
@pytest.mark.parametrize("metric", [None, "acc", "reward"])
def test_verls_buffer_hands_out_and_throws_away_the_same(mode, metric, monkeypatch):
    results = []
    for cls in CLASSES[mode]:
        queue = Queue(MANY)
        queue.add("failed", [[1.0], None, None, None], status="failure")
        made = buffer(queue, monkeypatch, mode=mode, metric=metric)
        if cls in (ReplayBuffer, ReplayBufferAsync):
            made = cls(sampler_kwargs={}, filter_groups_metric=metric, **BUFFER, **arguments(mode))
        batch, metrics = made.sample(global_steps=1, partition_id="train", batch_size=4)
        verls = {name: value for name, value in metrics.items() if not name.startswith("daro/")}
        results.append((batch.keys, batch.tags, verls, queue.tags))
    assert results[0] == results[1]


def test_shares_at_the_source_and_what_is_thrown_away(monkeypatch):
    queue = Queue(MANY)
    made = buffer(queue, monkeypatch)
    metrics = sampled(made, 4)
    assert metrics["daro/source/num_prompts"] == 9
    shares = [metrics[f"daro/source/{k}of4"] for k in range(G + 1)]
    assert shares == pytest.approx([1 / 9, 5 / 9, 1 / 9, 1 / 9, 1 / 9])
    assert metrics["daro/responses/generated"] == 9 * G
    assert metrics["daro/responses/discarded"] == 5 * G  # two without a signal, three of the surplus
    more = Queue([2, 2], prefix="q")
    queue.tags.update(more.tags)
    queue.rewards.update(more.rewards)
    metrics = sampled(made, 2)
    assert metrics["daro/source/num_prompts"] == 2 and metrics["daro/source/2of4"] == 1
    assert metrics["daro/responses/generated"] == 2 * G and metrics["daro/responses/generated_so_far"] == 11 * G
    assert metrics["daro/responses/discarded"] == 0 and metrics["daro/responses/discarded_so_far"] == 5 * G


def test_an_asynchronous_buffer_keeps_its_surplus(monkeypatch):
    queue = Queue(MANY)
    made = buffer(queue, monkeypatch, mode="colocate_async")
    first, second = sampled(made, 4), sampled(made, 3)
    assert first["daro/responses/generated"] == 9 * G and first["daro/responses/discarded"] == 2 * G
    assert second["daro/responses/generated"] == second["daro/responses/discarded"] == 0
    assert second["daro/source/num_prompts"] == 0 and "daro/source/1of4" not in second


def test_groups_are_counted_once_however_often_the_buffer_looks(monkeypatch):
    queue = Queue([1, 2])
    made = buffer(queue, monkeypatch)
    for _ in range(3):
        made._sync_metadata_from_transfer_queue()
    assert len(queue.asked) == len(set(queue.asked)) == 2 * G
    metrics = sampled(made, 2)
    assert metrics["daro/responses/generated"] == 2 * G and metrics["daro/source/num_prompts"] == 2


def test_what_is_evicted_between_two_samples_is_discarded(monkeypatch):
    """As where verl lends the trainer's devices to generation until there is enough."""
    made = buffer(Queue([1, 0, 2]), monkeypatch, mode="colocate_async")
    made.wait_for_sampleable(1, "train", 2)
    assert made.get_sampleable_count(1, "train") == 2
    metrics = sampled(made, 2)
    assert metrics["daro/responses/discarded"] == G and metrics["daro/responses/generated"] == 3 * G


def test_a_session_of_two_outputs_is_one_response(monkeypatch):
    queue = Queue([1, 0, 2], outputs=2)
    metrics = sampled(buffer(queue, monkeypatch), 2)
    assert metrics["daro/responses/generated"] == 3 * G and metrics["daro/responses/discarded"] == G
    assert all(key.endswith("_1") for key in queue.asked)  # the last of a session stands for it


def test_responses_that_are_scored_later_count_as_generated_too(monkeypatch):
    """A reward model that shares the trainer's devices: no pass rate at the source, no filter."""
    queue = Queue([None, None, None])
    made = buffer(queue, monkeypatch, metric=None, scored=False)
    metrics = sampled(made, 2)
    assert metrics["daro/responses/generated"] == 3 * G and queue.asked == []
    assert {name for name in metrics if name.startswith("daro/source/")} == {"daro/source/num_prompts"}
    assert metrics["daro/source/num_prompts"] == 0
    made._clear_groups("train", made.finished_keys["train"] - {"p0", "p5"})
    assert sampled_after(made, Queue([1]), monkeypatch)["daro/responses/discarded"] == G


def sampled_after(made: ReplayBuffer, queue: Queue, monkeypatch) -> dict[str, float]:
    for module in (replay_buffer, sampling):
        monkeypatch.setattr(module, "tq", queue)
    return sampled(made, 1)


DEGENERATE = {
    "nothing solved": ([[0.0], [-1.0]], 0),
    "everything solved": ([[1.0], [1.0]], 4),
    "a session that failed": ([[1.0], None, [0.0]], 2),
    "a reward that is not finite": ([[1.0], [math.nan], [math.inf]], 4),
    "no valid response": ([[math.nan], [math.nan]], None),
    "every session failed": ([None, None], None),
    "a session of two outputs": ([[0.0, 1.0], [0.0]], 2),
    "as float32 stores it": ([[0.5 + 1e-12], [1.0]], 2),
    "a rate that never rounds to the end": ([[1.0]] * 15 + [[0.0]], 3),
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_prompts(case, monkeypatch):
    sessions, k = DEGENERATE[case]
    queue = Queue([1])
    queue.add("u", sessions, status="failure" if None in sessions else "finished")
    metrics = sampled(buffer(queue, monkeypatch, metric=None), 2)
    bins = Counter({1: 1})
    bins.update([] if k is None else [k])
    assert metrics["daro/source/num_prompts"] == bins.total()
    assert [metrics[f"daro/source/{k}of4"] for k in range(G + 1)] == [bins[k] / bins.total() for k in range(G + 1)]
    assert metrics["daro/responses/generated"] == G + sum(outputs is not None for outputs in sessions)


def test_a_response_without_tokens_does_not_count(monkeypatch):
    queue = Queue([])
    queue.add("u", [[1.0], [0.0]])
    queue.tags["u_1_0"]["response_len"] = 0
    metrics = sampled(buffer(queue, monkeypatch, metric=None), 1)
    assert metrics["daro/source/4of4"] == 1 and queue.asked == ["u_0_0"]


def test_the_log_of_a_step_of_several_samples_is_that_of_all_of_them(monkeypatch):
    """verl averages what the samples of a step return."""
    queue = Queue([1, 2, 0, 3, 2])
    made = buffer(queue, monkeypatch, mode="colocate_async", steps=2)
    aggregator = MetricsAggregator()
    for _ in range(2):
        batch, metrics = made.sample(global_steps=1, partition_id="train", batch_size=2)
        aggregator.add_step_metrics(metrics, sample_count=len(batch.keys))
    logged = aggregator.get_aggregated_metrics()
    assert logged["daro/responses/generated"] == logged["daro/responses/generated_so_far"] == 5 * G
    assert logged["daro/responses/discarded"] == G and logged["daro/source/num_prompts"] == 5
    assert [logged[f"daro/source/{k}of4"] for k in range(G + 1)] == pytest.approx([0.2, 0.2, 0.4, 0.2, 0])


def known(made: DifficultyReplayBuffer, uid: str) -> dict[str, float]:
    """What the job's memory knows of a prompt."""
    memory = made._prompts.memory
    row = memory.rows(np.array([prompt_id("math", [{"role": "user", "content": uid}], {})], dtype=np.uint64))
    return {name: column[row].item() for name, column in memory.prompts.items()} if row[0] >= 0 else {}


def test_every_scored_group_is_remembered_also_those_that_are_thrown_away(monkeypatch):
    """Four prompts have 1, 0, 4 and 2 of 4. Dynamic sampling throws the second and third away; the last is surplus."""
    queue = Queue([1, 0, 4, 2])
    made = buffer(queue, monkeypatch)
    made.sample(global_steps=7, partition_id="train", batch_size=1)
    remembered = [known(made, uid) for uid in ("p0", "p5", "p10", "p15")]
    assert [prompt["successes"] for prompt in remembered] == [1, 0, 4, 2]
    assert {(prompt["last_step"], prompt["responses"]) for prompt in remembered} == {(7, 4)}


def test_groups_that_verl_restores_are_not_learned_from_again(monkeypatch, tmp_path):
    """An asynchronous job saves finished groups with its checkpoint, after they were remembered."""
    queue = Queue(MANY)
    first = buffer(queue, monkeypatch, mode="colocate_async")
    sampled(first, 4)
    (tmp_path / "global_step_1").mkdir()
    first._prompts.save(tmp_path / "global_step_1", 1)
    second = buffer(queue, monkeypatch, mode="colocate_async", resumed=tmp_path)
    queue.add("new", [[1.0], [0.0], [0.0], [0.0]])
    second.get_sampleable_count(2, "train")
    assert (second._prompts.memory.prompts["visits"] == 1).all()
    assert known(second, "new")["last_step"] == 2
    assert known(second, "p0")["last_step"] == 1


def test_a_data_set_without_sources(monkeypatch):
    queue = Queue([1, 2])
    get = queue.kv_batch_get
    queue.kv_batch_get = lambda **kwargs: {name: of for name, of in get(**kwargs).items() if name != "data_source"}
    made = buffer(queue, monkeypatch)
    sampled(made, 2)
    assert made._prompts.memory.sources == ["None"]  # as of the rows of such a data set


def test_groups_that_say_nothing_are_not_remembered(monkeypatch):
    queue = Queue([1])
    queue.add("lost", [None, None], status="failure")
    queue.add("nan", [[math.nan], [math.nan]])
    queue.add("half", [[1.0], [math.nan], None, [0.0]], status="failure")
    made = buffer(queue, monkeypatch, metric=None)
    sampled(made, 4)
    assert known(made, "lost") == known(made, "nan") == {}
    assert (known(made, "half")["successes"], known(made, "half")["responses"]) == (1, 2)


def test_what_is_predicted_is_compared_with_what_comes(monkeypatch):
    """Nothing is known of the three: Beta(4, 4), so a group of 4 has P(0) = P(4) = (4 x 5 x 6 x 7) / (8 x 9 x 10 x 11)
    = 7/66, and is informative with 52/66. Two of three are: squares (14/66)^2 twice and (52/66)^2."""
    metrics = sampled(buffer(Queue([1, 0, 3]), monkeypatch), 2)
    assert metrics["daro/prompts/informative"] == pytest.approx(2 / 3)
    assert metrics["daro/prompts/informative_predicted"] == pytest.approx(52 / 66)
    assert metrics["daro/prompts/brier"] == pytest.approx((2 * (14 / 66) ** 2 + (52 / 66) ** 2) / 3)


def test_tokens_and_what_was_not_generated(monkeypatch):
    """Four groups of 4 responses of 2 tokens; one is thrown away, one is surplus. Three prompts were left out: 12
    responses, which would have had 2 tokens each."""
    made = buffer(Queue([1, 0, 3, 2]), monkeypatch)
    made._prompts.leave_out(3)
    metrics = sampled(made, 2)
    kinds = ("generated", "trained", "discarded", "not_generated")
    assert [metrics[f"daro/responses/{kind}"] for kind in kinds] == [16, 8, 8, 12]
    assert [metrics[f"daro/tokens/{kind}"] for kind in kinds] == [32, 16, 16, 24]
    assert metrics["daro/tokens/not_generated_so_far"] == 24


def test_all_outputs_of_a_session_cost_tokens(monkeypatch):
    metrics = sampled(buffer(Queue([1], outputs=3), monkeypatch), 1)
    assert (metrics["daro/responses/trained"], metrics["daro/tokens/trained"]) == (4, 4 * 3 * 2)


def test_validation_is_left_alone(monkeypatch):
    queue = Queue([1])
    made = buffer(queue, monkeypatch)
    kv_list = queue.kv_list
    queue.kv_list = lambda: {**kv_list(), "val": {"v": {"is_prompt": True, "status": "finished", "global_steps": 0}}}
    batch, metrics = made.sample(global_steps=1, partition_id="val", batch_size=1)
    assert batch.keys == [] and metrics == {}
    assert sampled(made, 1)["daro/responses/generated"] == G


def trainer(config) -> PPOTrainer:
    made = object.__new__(PPOTrainerSync)
    made.config, made.trainer_mode = config, config.trainer.v1.trainer_mode
    return made


def prepared(config):
    with open_dict(config):
        config.trainer.v1.sampler.merge_with(sampler_settings(config, OPTIONS))
    return config


JOBS = {
    "plain": [],
    "larger batches from the data": ["data.gen_batch_size=64"],
    "dynamic sampling": ["algorithm.filter_groups.enable=True", "algorithm.filter_groups.metric=acc"],
    "dynamic sampling by reward": ["algorithm.filter_groups.enable=True", "algorithm.filter_groups.metric=reward"],
    "more batches at once": [
        "algorithm.filter_groups.enable=True",
        "algorithm.filter_groups.metric=acc",
        "algorithm.filter_groups.max_inflight_gen_batches=3",
    ],
    "failed groups replaced": ["trainer.v1.sampler.sync_refill_failed_groups=True", "data.gen_batch_size=64"],
    "off-policy control": ["trainer.v1.sampler.max_off_policy_threshold=3"],
}


@pytest.mark.parametrize("mode", ["sync", "colocate_async", "separate_async"])
@pytest.mark.parametrize("job", JOBS)
def test_verl_builds_the_buffer_with_the_settings_that_its_own_would_have(job, mode):
    overrides = [f"trainer.v1.trainer_mode={mode}", "data.train_batch_size=32", *JOBS[job]]
    own = trainer(prepared(prepared(compose_job(*overrides))))._build_replay_buffer()
    verls = trainer(compose_job(*overrides))._build_replay_buffer()
    assert type(own).__mro__[1 if mode == "sync" else 2] is type(verls)
    left_out = {"sampler_kwargs", "refill_fn"}  # the latter is a method of either trainer
    assert {name: vars(own)[name] for name in vars(verls).keys() - left_out} == {
        name: value for name, value in vars(verls).items() if name not in left_out
    }
    assert own.refill_fn.__name__ == verls.refill_fn.__name__
    assert own._samples_per_step == (4 if mode == "separate_async" else 1)


def test_where_nothing_is_set():
    own = compose_job("trainer.v1.sampler.custom_sampler.path=a.py", "trainer.v1.sampler.custom_sampler.name=Own")
    assert sampler_settings(own, OPTIONS) == {}  # the job's own stays
    assert sampler_settings(compose_job("trainer.use_v1=False"), OPTIONS) == {}


def test_a_reward_model_that_shares_the_trainers_devices_has_nothing_to_say_at_the_source():
    def scored(*overrides: str) -> bool:
        return sampler_settings(compose_job(*overrides), OPTIONS)["sampler_kwargs"]["daro"]["scored_at_source"]

    assert scored() and scored("reward.reward_model.enable=True", "reward.reward_model.enable_resource_pool=True")
    assert not scored("reward.reward_model.enable=True", "reward.reward_model.enable_resource_pool=False")


FILTER = "algorithm.filter_groups.enable=True"
REFUSED = {
    "no metric": (
        [FILTER, "algorithm.filter_groups.metric=null"],
        "algorithm.filter_groups.metric: got None, expected the name of a metric",
    ),
    "scored too late": (
        [FILTER, "algorithm.filter_groups.metric=acc", "reward.reward_model.enable=True"],
        "enable_resource_pool: got False, expected True with algorithm.filter_groups",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_verl_refuses_later_is_refused_before_any_worker_starts(case):
    overrides, expected = REFUSED[case]
    with pytest.raises(DaroConfigError, match=expected):
        sampler_settings(compose_job(*overrides), OPTIONS)
    with pytest.raises((ValueError, AssertionError)):
        trainer(compose_job(*overrides))._build_replay_buffer()
