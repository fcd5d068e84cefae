"""The trainer's look at what trajectories carry, before it trains on them; for V1, whose batches have tags."""

from collections import defaultdict
from typing import Any

import torch
from omegaconf import OmegaConf

from daro_verl.objective import bin_label, bin_of_pass_rate
from daro_verl.driver import last_counts
from daro_verl.errors import DaroSeamError, got_expected_fix
from daro_verl.rollout import step_log
from daro_verl.rollout.exchange import version_of_step
from daro_verl.rollout.fields import PASS_RATE_TAG, VERSION_FIELD
from daro_verl.rollout.source import check_against_source
from daro_verl.staleness import staleness_of


def look_at_trajectories(trainer: Any, batch: Any) -> None:
    """Check versions and pass rates, and log ``daro/staleness/{k}of{G}``: mean over the trajectories of a bin.

    ``daro/staleness/version_unknown`` counts trajectories whose server held no snapshot when it finished them. Pass
    rates are not compared where rollout correction rejects responses, which then count at the source only.

    Raises:
        DaroSeamError: a trajectory and the trainer disagree; with both numbers.
    """
    if not hasattr(batch, "tags"):
        return
    tags = [tag for tag in batch.tags if not tag.get("is_padding", False)]
    for tag in tags:
        check_version(tag)
    if OmegaConf.select(trainer.config, "algorithm.rollout_correction.rollout_rs") is None:
        check_against_source(batch.keys, batch.tags, last_counts())
    unknown = sum(tag[VERSION_FIELD] is None for tag in tags if VERSION_FIELD in tag)
    step_log.add({"daro/staleness/version_unknown": float(unknown)})
    staleness = staleness_of(trainer, batch)
    if staleness is not None:
        step_log.add_to_means(staleness_by_bin(staleness.tolist(), tags, trainer.config.algorithm.daro.num_rollouts))


def check_version(tag: dict[str, Any]) -> None:
    """Whether the version of a trajectory is one that was sent with the models that it was sampled from.

    Raises:
        DaroSeamError: it is not.
    """
    version, first_step, last_step = (tag.get(name) for name in (VERSION_FIELD, "min_global_steps", "max_global_steps"))
    if version is None or first_step is None or last_step is None:
        return
    first, last = version_of_step(first_step), version_of_step(last_step)
    if first is None or last is None or first <= version <= last:
        return
    raise DaroSeamError(
        got_expected_fix(
            "version of the difficulty weights that a trajectory was sampled under",
            version,
            f"{first} to {last}, which were sent with the models of its steps {first_step} to {last_step}",
            "look for another process that sends difficulty weights to the rollout servers",
        )
    )


def staleness_by_bin(staleness: list[float], tags: list[dict[str, Any]], num_rollouts: int) -> dict[str, list[float]]:
    """By metric name, the staleness of the trajectories of each bin; those without a pass rate are left out."""
    pairs = zip((tag.get(PASS_RATE_TAG) for tag in tags), staleness, strict=True)
    rated = [(rate, value) for rate, value in pairs if rate is not None]
    bins = bin_of_pass_rate(torch.tensor([rate for rate, _ in rated], dtype=torch.float64), num_rollouts).tolist()
    by_bin = defaultdict(list)
    for k, (_, value) in zip(bins, rated, strict=True):
        by_bin[f"daro/staleness/{bin_label(k, num_rollouts)}"].append(float(value))
    return dict(by_bin)
