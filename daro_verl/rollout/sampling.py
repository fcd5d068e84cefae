"""verl's replay buffers, which here also count what the rollout generates and remember how difficult each prompt was.

verl builds them through ``trainer.v1.sampler.custom_sampler`` (:mod:`daro_verl.rollout.sampler_settings`). They sample,
filter and refill as verl's own do.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
import transfer_queue as tq
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer, ReplayBufferAsync

from daro_verl.advantage.groups import PromptGroups, group_by_prompt
from daro_verl.advantage.in_verl import rewards_of_job, threshold_of
from daro_verl.errors import DaroDataError
from daro_verl.metric_set import selected
from daro_verl.objective import bin_label, bin_of_pass_rate
from daro_verl.prompts.accounting import Accounting
from daro_verl.prompts.identity import prompt_id
from daro_verl.prompts.job_memory import memory_of_job
from daro_verl.prompts.selection import informative_probability

TRAIN = "train"
"""verl's name of the partition that is trained on; the other one is validation."""


class DifficultyReplayBuffer(ReplayBuffer):
    """The replay buffer of V1's trainer ``sync``. Counts start when the job starts or resumes.

    Once per training step, :meth:`sample` adds metrics to verl's. verl averages over the samples of a step, so the
    other samples add none. The metrics are those of :class:`~daro_verl.prompts.accounting.Accounting`, and:

    - ``daro/source/num_prompts``: prompts that have ended and whose responses are scored, before any filter;
    - ``daro/source/{k}of{G}``: the share of each bin among these prompts.

    A response is a session, however many outputs it has. A reward model that shares the trainer's devices scores after
    sampling. With it, nothing is known about difficulty, and nothing is remembered. The option ``metrics`` says what is
    logged (:mod:`daro_verl.metric_set`).
    """

    def __init__(self, *, sampler_kwargs: Any, **kwargs: Any) -> None:
        options = sampler_kwargs["daro"]
        super().__init__(sampler_kwargs=sampler_kwargs, **kwargs, **options["buffer"])
        self._num_rollouts: int = options["num_rollouts"]
        self._success_threshold = threshold_of(options["success_threshold"])
        self._rewards = rewards_of_job(options.get("rewards"))
        self._metrics: str = options["metrics"]
        self._scored_at_source: bool = options["scored_at_source"]
        about = options.get("prompt_memory")
        self._prompts = memory_of_job(about)
        self._samples_per_step: int = self.trainer_config.get("parameter_sync_step", 1)
        self._num_samples = 0
        self._step: int = about["step"] if about else 0
        self._accounting = Accounting()
        self._prompts.waiting = lambda: self._accounting.waiting
        self._bins = torch.zeros(self._num_rollouts + 1, dtype=torch.int64)

    def sample(self, global_steps: int, partition_id: str, batch_size: int) -> tuple[Any, dict[str, Any]]:
        """Call verl's, and add the metrics."""
        if partition_id == TRAIN:
            self._step = global_steps
        batch, metrics = super().sample(global_steps=global_steps, partition_id=partition_id, batch_size=batch_size)
        if partition_id != TRAIN:
            return batch, metrics
        self._accounting.gone(set(map(uid_of, batch.keys)), "trained")
        self._count_discarded()
        self._num_samples += 1
        if self._num_samples % self._samples_per_step:
            return batch, metrics
        return batch, {**metrics, **selected(self._step_metrics(), self._metrics)}

    def _sync_metadata_from_transfer_queue(self) -> None:
        """Call verl's, which looks for prompts that have ended, and count those that ended since the last call."""
        super()._sync_metadata_from_transfer_queue()
        self._count_discarded()
        new = self._ended() - self._accounting.waiting
        if not new:
            return
        partition = self.partitions[TRAIN]
        sessions, tokens = final_keys(partition, new), num_tokens(partition, new)
        for uid, keys in sessions.items():
            self._accounting.generated(uid, len(keys), tokens[uid])
        if self._scored_at_source:
            self._remember({uid: keys for uid, keys in sessions.items() if uid not in self._prompts.restored})

    def _ended(self) -> set[str]:
        """The prompts that have ended and that, as far as the buffer knows, are still there."""
        return self.finished_keys[TRAIN] | self.failure_keys[TRAIN]

    def _count_discarded(self) -> None:
        self._accounting.gone(self._accounting.waiting - self._ended(), "discarded")

    def _remember(self, sessions: dict[str, list[str]]) -> None:
        """Count the bins of prompts that have ended, and put their difficulty into the job's memory."""
        keys = [key for of_prompt in sessions.values() for key in of_prompt if self._has_tokens(key)]
        if not keys:
            return
        groups = self._groups_of(keys)
        known = (groups.num_responses > 0).numpy()
        rates, num_responses = groups.pass_rate.numpy()[known], groups.num_responses.numpy()[known]
        k = bin_of_pass_rate(torch.from_numpy(rates), self._num_rollouts)
        self._bins += torch.bincount(k, minlength=len(self._bins))
        ids, sources = self._identities(
            [key for key, is_known in zip(_first_keys(keys), known, strict=True) if is_known]
        )
        memory = self._prompts.memory
        predicted = informative_probability(memory.predict(memory.rows(ids)), self._num_rollouts)
        self._accounting.compare(predicted, ((k > 0) & (k < self._num_rollouts)).numpy())
        memory.observe(ids, sources, rates * num_responses, num_responses, self._step)

    def _groups_of(self, keys: list[str]) -> PromptGroups:
        """Group responses by prompt, in the order of ``keys``."""
        scores = _scores(tq.kv_batch_get(keys=keys, partition_id=TRAIN, select_fields=["rm_scores"]))
        rewards = torch.stack([score.sum() for score in scores])
        return group_by_prompt(
            rewards,
            torch.ones_like(rewards, dtype=torch.bool),
            np.array([uid_of(key) for key in keys]),
            self._success_threshold,
            reward_range=self._rewards.preview(rewards),
        )

    def _identities(self, keys: list[str]) -> tuple[np.ndarray, list[str]]:
        """The numbers and the data sources of prompts, from the key of one response of each."""
        if not keys:
            return np.empty(0, np.uint64), []
        fields = ["data_source", "raw_prompt", "extra_info"]
        data = tq.kv_batch_get(keys=keys, partition_id=TRAIN, select_fields=fields)
        columns = [data[name] if name in data.keys() else [None] * len(keys) for name in fields]
        rows = list(zip(*([getattr(value, "data", value) for value in column] for column in columns), strict=True))
        return np.array([prompt_id(*row) for row in rows], dtype=np.uint64), [str(source) for source, *_ in rows]

    def _has_tokens(self, key: str) -> bool:
        return self.partitions[TRAIN][key].get("response_len") != 0

    def _step_metrics(self) -> dict[str, float]:
        """Return the metrics of the step that ends, and start counting anew."""
        self._accounting.left_out(self._prompts.take_left_out() * self._num_rollouts)
        num_prompts = int(self._bins.sum())
        metrics = {"daro/source/num_prompts": float(num_prompts)}
        if num_prompts:
            for k, share in enumerate((self._bins / num_prompts).tolist()):
                metrics[f"daro/source/{bin_label(k, self._num_rollouts)}"] = share
        self._bins.zero_()
        return metrics | self._accounting.take()


class DifficultyReplayBufferAsync(DifficultyReplayBuffer, ReplayBufferAsync):
    """The replay buffer of V1's other trainers, which buffer more than a step needs."""

    def get_sampleable_count(self, global_steps: int, partition_id: str) -> int:
        """Call verl's, which looks for prompts that have ended, in this step."""
        self._step = global_steps
        return super().get_sampleable_count(global_steps, partition_id)

    def wait_for_sampleable(self, global_steps: int, partition_id: str, target_count: int) -> tuple[set[str], dict]:
        """Call verl's, which looks for prompts that have ended, in this step."""
        self._step = global_steps
        return super().wait_for_sampleable(global_steps, partition_id, target_count)


def _scores(data: Any) -> Any:
    """The scores of the responses, by token. verl leaves them out if the reward function returned None."""
    if "rm_scores" in data.keys():
        return data["rm_scores"]
    expected = "a number for each response; verl has none if the reward function returns None"
    fix = "let reward.custom_reward_function return a number on every path"
    raise DaroDataError("reward", got=None, expected=expected, fix=fix)


def final_keys(keys: Iterable[str], uids: set[str]) -> dict[str, list[str]]:
    """By prompt, the key of each session's last output, which stands for the session.

    Args:
        keys: verl's, ``{uid}_{session}_{index of the output}``.
        uids: the prompts; one without any key has an empty list.
    """
    last: dict[str, dict[str, tuple[int, str]]] = {uid: {} for uid in uids}
    for key in keys:
        session, _, index = key.rpartition("_")
        of_prompt = last.get(uid_of(key))
        if of_prompt is not None:
            of_prompt[session] = max(of_prompt.get(session, (-1, "")), (int(index), key))
    return {uid: [key for _, key in of_prompt.values()] for uid, of_prompt in last.items()}


def num_tokens(tags: Mapping[str, Mapping[str, Any]], uids: set[str]) -> Counter[str]:
    """By prompt, the number of response tokens in all of its outputs."""
    tokens: Counter[str] = Counter()
    for key, tag in tags.items():
        if (uid := uid_of(key)) in uids:
            tokens[uid] += tag.get("response_len") or 0
    return tokens


def _first_keys(keys: list[str]) -> list[str]:
    """The first key of each prompt, in the order of the prompts."""
    first: dict[str, str] = {}
    for key in keys:
        first.setdefault(uid_of(key), key)
    return list(first.values())


def uid_of(key: str) -> str:
    """The prompt's uid in one of verl's keys."""
    return key.split("_")[0]
