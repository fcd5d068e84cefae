"""verl's replay buffer with an eye on difficulty: what was generated, what is thrown away, and which groups are kept.

Attached to the buffer that verl makes, so that its dynamic sampling (``algorithm.filter_groups``) stays as it is; a
class of ``trainer.v1.sampler.custom_sampler`` would have to bring its own.
"""

from collections.abc import Iterable
from typing import Any

import torch

from daro_verl.objective import bin_label, bin_of_pass_rate
from daro_verl.rollout import step_log
from daro_verl.rollout.balance import balanced
from daro_verl.rollout.fields import PASS_RATE_TAG
from daro_verl.wrapping import arguments, wrap

TRAIN = "train"
"""verl's name of what is trained on; the other partition is validation."""


class DifficultySampling:
    """Watches one replay buffer, and selects in it if asked. Counts start at the job's start or resumption.

    Metrics: ``daro/source/{k}of{G}``, the share of prompts per bin as they come from the rollout, before any filter,
    and ``daro/source/num_prompts``; ``daro/responses/generated`` and ``discarded`` (filtered, surplus, stale or failed)
    in the step, with ``_so_far`` in all. A response is a session, however many outputs it has, and counts once its
    prompt has ended; also where a reward model is still to score it, which leaves nothing to say at the source.
    """

    def __init__(self, num_rollouts: int) -> None:
        self.num_rollouts = num_rollouts
        self._labels = [bin_label(k, num_rollouts) for k in range(num_rollouts + 1)]
        self._seen: set[str] = set()
        self._so_far = {"generated": 0, "discarded": 0}
        self._passed_over: dict[str, int] = {}

    def attach(self, buffer: Any, balance: bool, patience: int | None = None) -> None:
        """Watch ``buffer``; with ``balance`` also select by :func:`~daro_verl.rollout.balance.balanced`.

        Args:
            buffer: verl's.
            balance: whether to select.
            patience: how often a group may be passed over before it is discarded and another prompt sampled for it:
                what the buffer keeps, it hands out in the end, and all bins are as large as without selecting. None for
                a buffer that discards its surplus itself.
        """
        self._buffer, self._patience = buffer, patience
        wrap(buffer, "_sync_metadata_from_transfer_queue", self._look)
        wrap(buffer, "_clear_groups", self._discard)
        if balance:
            wrap(buffer, "_select_prompt_uids", self._select)

    def _look(self, synchronise: Any, args: tuple, kwargs: dict) -> None:
        synchronise(*args, **kwargs)
        ended = self._buffer.finished_keys[TRAIN] | self._buffer.failure_keys[TRAIN]
        new, self._seen = ended - self._seen, ended
        rates = self._pass_rates()
        bins = self._bins(rates[uid] for uid in new & rates.keys())
        step_log.add_to_shares("daro/source", self._labels, [self._labels[k] for k in bins if k is not None])
        self._log("generated", self._num_responses(new))
        self._log("discarded", 0)

    def _discard(self, clear: Any, args: tuple, kwargs: dict) -> None:
        given = arguments(clear, args, kwargs)
        if given["partition_id"] == TRAIN:
            self._log("discarded", self._num_responses(given["uids"]))
        clear(*args, **kwargs)

    def _select(self, select: Any, args: tuple, kwargs: dict) -> tuple:
        given = arguments(select, args, kwargs)
        if given["partition_id"] != TRAIN:
            return select(*args, **kwargs)
        everything = {**given, "batch_size": len(given["sampleable_keys"])}
        by_age, *snapshots = select(**everything)
        rates, sent = self._pass_rates(), newest_sent()
        weights = [1.0] * (self.num_rollouts - 1) if sent is None else sent.weights
        bins = self._bins(rates.get(uid) for uid in by_age)
        chosen = balanced(bins, given["batch_size"], self.num_rollouts, weights)
        uids = [by_age[position] for position in chosen]
        if self._patience is not None:
            self._replace(set(by_age) - set(uids), self._patience)
        return uids, *snapshots

    def _replace(self, passed_over: set[str], patience: int) -> None:
        self._passed_over = {uid: self._passed_over.get(uid, 0) + 1 for uid in passed_over}
        given_up = {uid for uid, times in self._passed_over.items() if times >= patience}
        if given_up:
            self._buffer._clear_groups(TRAIN, given_up)
            self._buffer.refill_fn(len(given_up))

    def _pass_rates(self) -> dict[str, float | None]:
        """By uid, of the prompts whose responses are all scored."""
        return {_uid(key): tag[PASS_RATE_TAG] for key, tag in self._trajectories() if PASS_RATE_TAG in tag}

    def _num_responses(self, uids: set[str]) -> int:
        return len({key.rsplit("_", 1)[0] for key, _ in self._trajectories() if _uid(key) in uids})

    def _trajectories(self) -> list[tuple[str, dict[str, Any]]]:
        """Keys and tags as the buffer saw them last, without rows that only pad a batch."""
        return [item for item in self._buffer.partitions[TRAIN].items() if not item[1].get("is_padding", False)]

    def _bins(self, rates: Iterable[float | None]) -> list[int | None]:
        rates = list(rates)
        bins = bin_of_pass_rate(torch.tensor([rate or 0.0 for rate in rates], dtype=torch.float64), self.num_rollouts)
        return [None if rate is None else k for rate, k in zip(rates, bins.tolist(), strict=True)]

    def _log(self, what: str, num_responses: int) -> None:
        self._so_far[what] += num_responses
        step_log.add({f"daro/responses/{what}": float(num_responses)})
        step_log.put({f"daro/responses/{what}_so_far": float(self._so_far[what])})


def _uid(key: str) -> str:
    return key.split("_")[0]


def sampler_settings(config):
    return {}
