"""verl's replay buffers that count what the rollout generates and what is thrown away of it.

verl builds them through ``trainer.v1.sampler.custom_sampler`` (:mod:`daro_verl.rollout.sampler_settings`). What they
sample, filter and refill is verl's own.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
import transfer_queue as tq
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer, ReplayBufferAsync

from daro_verl.advantage.groups import group_by_prompt
from daro_verl.advantage.in_verl import rewards_of_job, threshold_of
from daro_verl.errors import DaroDataError
from daro_verl.metric_set import selected
from daro_verl.objective import bin_label, bin_of_pass_rate

TRAIN = "train"
"""verl's name of the partition that is trained on; the other one is validation."""


class DifficultyReplayBuffer(ReplayBuffer):
    """For V1's trainer ``sync``. Counts start at the job's start or resumption.

    Metrics, added to those that :meth:`sample` returns, once per training step (verl averages over the samples of a
    step, so the others return none):

    - ``daro/source/num_prompts``: prompts that have ended and whose responses are scored, before any filter, and
      ``daro/source/{k}of{G}``: the share of each bin among them. Nothing to say where a reward model that shares the
      trainer's devices scores after sampling;
    - ``daro/responses/generated``: responses of all prompts that ended, ``daro/responses/discarded``: those that are
      never trained on (filtered, surplus, stale or failed), and both with ``_so_far`` in all. A response is a session,
      however many outputs it has.

    The option ``metrics`` says which of them are logged (:mod:`daro_verl.metric_set`).
    """

    def __init__(self, *, sampler_kwargs: Any, **kwargs: Any) -> None:
        options = sampler_kwargs["daro"]
        super().__init__(sampler_kwargs=sampler_kwargs, **kwargs, **options["buffer"])
        self._num_rollouts: int = options["num_rollouts"]
        self._success_threshold = threshold_of(options["success_threshold"])
        self._rewards = rewards_of_job(options.get("rewards"))
        self._metrics: str = options["metrics"]
        self._scored_at_source: bool = options["scored_at_source"]
        self._samples_per_step: int = self.trainer_config.get("parameter_sync_step", 1)
        self._num_samples = 0
        self._num_responses: dict[str, int] = {}
        """By uid, responses of the prompts that have ended and are neither sampled nor discarded yet."""
        self._bins = torch.zeros(self._num_rollouts + 1, dtype=torch.int64)
        self._in_step: Counter[str] = Counter()
        self._so_far: Counter[str] = Counter()

    def sample(self, global_steps: int, partition_id: str, batch_size: int) -> tuple[Any, dict[str, Any]]:
        """verl's, with the metrics."""
        batch, metrics = super().sample(global_steps=global_steps, partition_id=partition_id, batch_size=batch_size)
        if partition_id != TRAIN:
            return batch, metrics
        for uid in set(map(uid_of, batch.keys)):
            self._num_responses.pop(uid, None)
        self._count_discarded()
        self._num_samples += 1
        if self._num_samples % self._samples_per_step:
            return batch, metrics
        return batch, {**metrics, **selected(self._step_metrics(), self._metrics)}

    def _sync_metadata_from_transfer_queue(self) -> None:
        """verl's, whenever it looks what has ended; prompts that have ended since the last time are counted."""
        super()._sync_metadata_from_transfer_queue()
        self._count_discarded()
        new = self._ended() - self._num_responses.keys()
        if not new:
            return
        sessions = final_keys(self.partitions[TRAIN], new)
        self._num_responses |= {uid: len(keys) for uid, keys in sessions.items()}
        self._count("generated", sum(map(len, sessions.values())))
        if self._scored_at_source:
            self._bins += self._bins_of(sessions)

    def _ended(self) -> set[str]:
        """Prompts that have ended, and are still there as far as the buffer knows."""
        return self.finished_keys[TRAIN] | self.failure_keys[TRAIN]

    def _count_discarded(self) -> None:
        gone = self._num_responses.keys() - self._ended()
        self._count("discarded", sum(self._num_responses.pop(uid) for uid in gone))

    def _count(self, what: str, num_responses: int) -> None:
        self._in_step[what] += num_responses
        self._so_far[what] += num_responses

    def _bins_of(self, sessions: dict[str, list[str]]) -> torch.Tensor:
        """[G+1] prompts per bin; those without a response that counts are in none."""
        keys = [key for of_prompt in sessions.values() for key in of_prompt if self._has_tokens(key)]
        if not keys:
            return torch.zeros_like(self._bins)
        scores = _scores(tq.kv_batch_get(keys=keys, partition_id=TRAIN, select_fields=["rm_scores"]))
        rewards = torch.stack([score.sum() for score in scores])
        groups = group_by_prompt(
            rewards,
            torch.ones_like(rewards, dtype=torch.bool),
            np.array([uid_of(key) for key in keys]),
            self._success_threshold,
            reward_range=self._rewards.range.including(rewards),  # which the estimator has not seen yet
        )
        known = groups.pass_rate[groups.num_responses > 0]
        return torch.bincount(bin_of_pass_rate(known, self._num_rollouts), minlength=len(self._bins))

    def _has_tokens(self, key: str) -> bool:
        return self.partitions[TRAIN][key].get("response_len") != 0

    def _step_metrics(self) -> dict[str, float]:
        """The metrics of the step that ends; counting starts anew."""
        num_prompts = int(self._bins.sum())
        metrics = {"daro/source/num_prompts": float(num_prompts)}
        if num_prompts:
            for k, share in enumerate((self._bins / num_prompts).tolist()):
                metrics[f"daro/source/{bin_label(k, self._num_rollouts)}"] = share
        for what in ("generated", "discarded"):
            metrics[f"daro/responses/{what}"] = float(self._in_step[what])
            metrics[f"daro/responses/{what}_so_far"] = float(self._so_far[what])
        self._bins.zero_()
        self._in_step.clear()
        return metrics


class DifficultyReplayBufferAsync(DifficultyReplayBuffer, ReplayBufferAsync):
    """For V1's other trainers, which buffer more than a step needs."""


def _scores(data: Any) -> Any:
    """The scores of the responses, by token; verl leaves them out where the reward function returned None."""
    if "rm_scores" in data.keys():
        return data["rm_scores"]
    expected = "a number for each response; verl has none where the reward function returns None"
    fix = "let reward.custom_reward_function return a number on every path"
    raise DaroDataError("reward", got=None, expected=expected, fix=fix)


def final_keys(keys: Iterable[str], uids: set[str]) -> dict[str, list[str]]:
    """Of every prompt, the key of each session's last output, which stands for the session.

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


def uid_of(key: str) -> str:
    """The prompt of one of verl's keys."""
    return key.split("_")[0]
