"""Pass rates at the source: what a prompt's responses say as soon as all of them are scored."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from daro_verl.errors import DaroSeamError, got_expected_fix
from daro_verl.rollout.fields import NUM_RESPONSES_TAG, PASS_RATE_TAG, VERSION_FIELD


@dataclass
class SourceGroup:
    """The sessions of one prompt while they run.

    Attributes:
        num_sessions: ``rollout.n``, or what the prompt asks for.
        num_settled: sessions that have ended, well or not.
        rewards: of the sessions with tokens, float32 as verl stores them; None where it is not scored yet.
        versions: by key of the trajectory, the version it was sampled under.
    """

    num_sessions: int
    num_settled: int = 0
    rewards: list[np.float32 | None] = field(default_factory=list)
    versions: dict[str, int | None] = field(default_factory=dict)

    def add(self, key_of_session: str, outputs: list[Any]) -> None:
        """Add a session that ended well.

        Args:
            key_of_session: ``{uid}_{session}``; verl's key of an output is that and its index.
            outputs: verl's ``AgentLoopOutput`` of the session; the last one's reward is the session's.
        """
        for index, output in enumerate(outputs):
            self.versions[f"{key_of_session}_{index}"] = output.extra_fields.get(VERSION_FIELD)
        if any(any(output.response_mask) for output in outputs):
            reward = outputs[-1].reward_score
            self.rewards.append(None if reward is None else np.float32(reward))

    def settle_one(self) -> bool:
        """Count a session that has ended; whether it was the last one."""
        self.num_settled += 1
        return self.num_settled == self.num_sessions

    def tags(self, success_threshold: float) -> dict[str, dict[str, Any]]:
        """By key of the trajectory: its version, and the pass rate and number of valid responses of its prompt.

        Without the latter two where a reward is still to come (a reward model that shares the trainer's devices).
        """
        of_prompt: dict[str, Any] = {}
        if None not in self.rewards:
            finite = [reward for reward in self.rewards if reward is not None and np.isfinite(reward)]
            right = sum(bool(reward > success_threshold) for reward in finite)
            of_prompt = {PASS_RATE_TAG: right / len(finite) if finite else None, NUM_RESPONSES_TAG: len(finite)}
        return {key: {VERSION_FIELD: version, **of_prompt} for key, version in self.versions.items()}


def check_against_source(keys: list[str], tags: list[dict[str, Any]], own: dict[str, tuple[float, int]]) -> None:
    """Compare what trajectories carry with what the trainer counts.

    Args:
        keys: verl's keys of the trajectories, ``{uid}_{session}_{index}``.
        tags: of the trajectories.
        own: by uid, pass rate (NaN without a valid response) and number of valid responses.

    Raises:
        DaroSeamError: they differ; with both numbers.
    """
    for key, tag in zip(keys, tags, strict=True):
        uid = key.split("_")[0]
        if NUM_RESPONSES_TAG not in tag or uid not in own or tag.get("is_padding", False):
            continue
        rate = math.nan if tag[PASS_RATE_TAG] is None else tag[PASS_RATE_TAG]
        own_rate, own_number = own[uid]
        if tag[NUM_RESPONSES_TAG] != own_number or not (rate == own_rate or math.isnan(rate) and math.isnan(own_rate)):
            raise DaroSeamError(
                got_expected_fix(
                    f"prompt {uid}, where its responses were scored",
                    f"pass rate {rate} of {tag[NUM_RESPONSES_TAG]} valid responses",
                    f"the trainer's own {own_rate} of {own_number}",
                    "look for what changes rewards, masks or trajectories between the rollout and the advantages",
                )
            )
